"""The errors that raydesk raises on purpose, grouped by what the caller can do.

DeskError
├── BadInput            fix the input                     exit 2
│   ├── PlanError       tradeplan, configuration, arguments
│   ├── StrategyError   a strategy or scanner that cannot be used
│   ├── TapeError       recorded data that cannot be read
│   └── RunFolderError  a run folder that cannot be used
├── CredentialsError    provide the credentials           exit 3
├── StoppedEarly        begin again                       exit 128 + signal
└── RunFailed           stop; the run cannot continue     exit 1
    ├── ActorDied       a process of the desk has died
    ├── ClusterLost     Ray itself has died: no actor can be called or created
    └── LedgerError     the ledger cannot be written or read

Tests: tests/console/test_error_messages.py
"""

import signal
from typing import Final

BY_SIGNAL: Final = 128
"""The exit status of a process ended by a signal is this + the signal's number."""
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""The signals that stop a desk."""


class DeskError(Exception):
    """One fault, described so that the reader can act: its place, what was found, what was expected, the remedy."""

    exit_status: int = 1

    def __init__(self, place: str, found: str, expected: str = "", remedy: str = "") -> None:
        super().__init__(place, found, expected, remedy)
        self.place = place
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.place}: {self.found}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.remedy:
            text += f". {self.remedy}"
        return text


class BadInput(DeskError):
    """The input is wrong; nothing was started."""

    exit_status = 2


class PlanError(BadInput):
    """A tradeplan, an environment override or a command-line argument is wrong."""


class StrategyError(BadInput):
    """A strategy or scanner does not import, is not one, refuses its params or does not pickle."""


class TapeError(BadInput):
    """A tape is missing, is not a tape, or is out of order."""


class RunFolderError(BadInput):
    """The run folder exists and is not empty, or holds no finished run."""


class CredentialsError(DeskError):
    """A venue needs credentials that are not present or were refused."""

    exit_status = 3


class StoppedEarly(DeskError):
    """A signal stopped the run cleanly before its first second was complete."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name, "the run was stopped before its first second was complete")
        self.exit_status = BY_SIGNAL + number


class RunFailed(DeskError):
    """The run cannot continue."""


class ActorDied(RunFailed):
    """A process of the desk has died."""


class ClusterLost(RunFailed):
    """A process of Ray has died that is needed to call and create actors."""


class LedgerError(RunFailed):
    """The ledger cannot be written or read."""
