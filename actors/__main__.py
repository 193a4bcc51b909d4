"""The entry point of a Ray job: `python -m actors PLAN …` is `desk run PLAN …`.

Tests: tests/actors/test_submit.py
"""

import sys

from console.entry import main

if __name__ == "__main__":
    sys.argv.insert(1, "run")
    main()
