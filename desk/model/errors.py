"""Everything that raydesk raises on purpose, grouped by what the caller can do.

DeskError
├── BadInput            fix the input                     exit 2
│   ├── PlanError       tradeplan, configuration, arguments
│   ├── StrategyError   a strategy or scanner that cannot be used
│   ├── TapeError       recorded data that cannot be read
│   └── RunFolderError  a run folder that cannot be used
├── CredentialsError    provide the credentials           exit 3
├── StoppedEarly        begin again                       exit 128 + signal
└── RunFailed           stop; the run cannot go on        exit 1
    ├── ActorDied       a process of the desk is gone
    ├── ClusterLost     Ray itself is gone: no actor can be called or made
    └── LedgerError     the ledger cannot be written or read

Tests: tests/console/test_error_messages.py
"""

import signal
from typing import Final

BY_SIGNAL: Final = 128
"""A process that a signal ends has this + the signal's number as its exit status."""
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""The signals that ask a desk to end."""


class DeskError(Exception):
    """One fault, told so that its reader can act: where it is, what was found and expected, the remedy."""

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
    """A signal ended the run in good order, before its first second was complete."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name, "the run was stopped before its first second was complete")
        self.exit_status = BY_SIGNAL + number


class RunFailed(DeskError):
    """The run cannot go on."""


class ActorDied(RunFailed):
    """A process of the desk is gone."""


class ClusterLost(RunFailed):
    """A process of Ray's has died, without which actors can neither be called nor made."""


class LedgerError(RunFailed):
    """The ledger cannot be written or read."""
