"""The `desk` command from its first moment: signals are caught before the command line is imported.

Tests: tests/desk/inprocess/test_signals.py
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from desk.process.signals import StopSignals

STOPPABLE: Final = ("run", "submit")


@contextmanager
def caught_signals() -> Iterator[None]:
    """Catch signals from here to the end of the process, where the command can be stopped in good order."""
    if StopSignals.current is not None or not sys.argv[1:2] or sys.argv[1] not in STOPPABLE:
        yield
        return
    signals = StopSignals().catch()
    try:
        yield
    finally:
        signals.finish()


def main() -> None:
    """Run the command line."""
    with caught_signals():
        from console.cli import main as command_line  # noqa: PLC0415 - see the module

        command_line()


if __name__ == "__main__":
    main()
