"""`python -m actors PLAN …`: what `desk run PLAN …` does, for `ray job submit --working-dir . -- python -m actors PLAN`."""

import sys

from console.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "run")
    main()
