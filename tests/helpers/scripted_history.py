"""A market's history in memory: trades and bars that a test puts in, which fails when the test says so."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from threading import Lock

import msgspec

from desk.history.history_server import HistoryServer
from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.history import Answer, Question
from desk.model.ticks import Trade
from desk.model.timeframes import Timeframe
from desk.venues.market_history import HistoryUnavailable


class ScriptedHistory:
    """The history of a market. `reached_ns` is the venue time up to which it has trades; `failures` come first."""

    place = "scripted history"

    def __init__(self, trades: Iterable[Trade] = (), page: int = 3) -> None:
        self.trades_of: list[Trade] = list(trades)
        self.bars_of: dict[Timeframe, list[Bar]] = {}
        self.actions_of: list[CorporateAction] = []
        self.reached_ns = 1 << 62
        self.failures: list[str] = []
        self.asked: list[tuple[tuple[str, ...], int, int]] = []
        self._page = page
        self._lock = Lock()

    def put(self, trade: Trade) -> None:
        """Add a trade; from any thread."""
        with self._lock:
            self.trades_of.append(trade)

    def trades(self, symbols: Sequence[str], from_ns: int, to_ns: int) -> Iterator[list[Trade]]:
        self.asked.append((tuple(symbols), from_ns, to_ns))
        self._fail()
        with self._lock:
            known = list(self.trades_of)
        found = sorted(
            (
                msgspec.structs.replace(trade, ordinal=0, received_ns=0)
                for trade in known
                if trade.symbol in symbols and from_ns <= trade.ts_ns < min(to_ns, self.reached_ns)
            ),
            key=lambda trade: trade.ts_ns,
        )
        for first in range(0, len(found), self._page):
            yield found[first : first + self._page]

    def bars(self, symbols: Sequence[str], timeframe: Timeframe, from_ns: int, to_ns: int) -> dict[str, list[Bar]]:
        self.asked.append((tuple(symbols), from_ns, to_ns))
        self._fail()
        bars = self.bars_of.get(timeframe, [])
        return {
            symbol: [bar for bar in bars if bar.symbol == symbol and from_ns <= bar.minute_ns < to_ns]
            for symbol in symbols
        }

    def actions(self, symbols: Sequence[str], from_day: date, to_day: date) -> list[CorporateAction]:
        self._fail()
        return [
            action for action in self.actions_of if action.symbol in symbols and from_day <= action.effective <= to_day
        ]

    def _fail(self) -> None:
        if self.failures:
            raise HistoryUnavailable(self.failures.pop(0))


class DirectHistory:
    """A history port that has each answer at the next look."""

    def __init__(self, server: HistoryServer) -> None:
        self._server = server
        self._questions: list[Question] = []

    def ask(self, question: Question) -> None:
        self._questions.append(question)

    def answers(self) -> list[Answer]:
        questions, self._questions = self._questions, []
        return [self._server.serve(question) for question in questions]
