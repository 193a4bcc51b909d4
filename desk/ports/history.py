"""The market's past, for the producer. A part of its own asks the venue, so that neither ticks nor scans wait."""

from collections.abc import Sequence
from typing import Protocol

from desk.model.history import Answer, Question


class HistoryPort(Protocol):
    """Questions are answered in their order, and no call waits. Each question has a number of its own.

    The answer to a question says why if there is no history. A question is repeated to the successor of an actor that
    dies before its answer.
    """

    def ask(self, question: Question) -> None:
        """Send a question."""
        ...

    def answers(self) -> Sequence[Answer]:
        """The answers that arrived since the last call."""
        ...
