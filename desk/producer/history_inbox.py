"""The history port, with its answers sorted by kind for the parts that asked.

Tests: tests/desk/producer/test_gap_repair.py, tests/desk/producer/test_history_requests.py
"""

from collections import deque

from desk.model.history import Answer, BarsAnswer, Question, TradesAnswer
from desk.ports import HistoryPort


class HistoryInbox:
    """Passes questions on, and keeps each answer until the part that asked takes it. `is_open`: there is a history."""

    def __init__(self, port: HistoryPort | None) -> None:
        self.is_open = port is not None
        self._port = port
        self._trades: deque[TradesAnswer] = deque()
        self._bars: deque[BarsAnswer] = deque()

    def ask(self, question: Question) -> None:
        """Send a question."""
        assert self._port is not None, "a question without a history"
        self._port.ask(question)

    def trades(self) -> list[TradesAnswer]:
        """The answers about trades since the last call."""
        self._sort()
        return [self._trades.popleft() for _ in range(len(self._trades))]

    def bars(self) -> list[BarsAnswer]:
        """The answers about bars since the last call."""
        self._sort()
        return [self._bars.popleft() for _ in range(len(self._bars))]

    def _sort(self) -> None:
        answers: tuple[Answer, ...] = () if self._port is None else tuple(self._port.answers())
        for answer in answers:
            if isinstance(answer, TradesAnswer):
                self._trades.append(answer)
            else:
                self._bars.append(answer)
