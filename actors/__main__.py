"""`python -m actors PLAN …`: what `desk run PLAN …` does, as the entry point of a Ray job.

Tests: tests/actors/test_submit.py
"""

import sys

from console.entry import main

if __name__ == "__main__":
    sys.argv.insert(1, "run")
    main()
