"""A market's past, made up: every symbol has a minute each five minutes of every day, and two trades in it."""

from collections.abc import Iterator, Sequence
from datetime import date

from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.ticks import Trade
from desk.model.timeframes import Timeframe
from desk.model.units import MINUTE_NS, ceil_to
from desk.venues.market_history import HistoryUnavailable

EVERY_NS = 5 * MINUTE_NS


class SteadyHistory:
    """Counts its requests; after `answers` of them it is unavailable. Symbols in `unknown` have nothing."""

    def __init__(self, answers: int = 10**9, unknown: Sequence[str] = ()) -> None:
        self.place = "steady history"
        self.requests: list[tuple[str, ...]] = []
        self._answers = answers
        self._unknown = unknown

    def trades(self, symbols: Sequence[str], from_ns: int, to_ns: int) -> Iterator[list[Trade]]:
        for symbol in symbols:
            self._request((symbol,))
            for bar in self._bars(symbol, from_ns, to_ns):
                times = (bar.minute_ns + 1, bar.minute_ns + 2)
                yield [Trade(0, symbol, time_ns, 0, bar.open, 100.0, trade_id=time_ns) for time_ns in times]

    def bars(self, symbols: Sequence[str], timeframe: Timeframe, from_ns: int, to_ns: int) -> dict[str, list[Bar]]:
        assert timeframe == "1m"
        self._request(tuple(symbols))
        return {symbol: self._bars(symbol, from_ns, to_ns) for symbol in symbols}

    def actions(self, symbols: Sequence[str], from_day: date, to_day: date) -> list[CorporateAction]:
        return [CorporateAction(symbol, to_day, 1.0, 2.0) for symbol in symbols if from_day <= to_day]

    def _request(self, symbols: tuple[str, ...]) -> None:
        if len(self.requests) >= self._answers:
            raise HistoryUnavailable("it does not answer")
        self.requests.append(symbols)

    def _bars(self, symbol: str, from_ns: int, to_ns: int) -> list[Bar]:
        if symbol in self._unknown:
            return []
        minutes = range(ceil_to(from_ns, EVERY_NS), to_ns, EVERY_NS)
        return [Bar(symbol, at_ns, 10.0, 11.0, 9.0, 10.5, 200.0, 2_000.0, 2, at_ns, 0, at_ns) for at_ns in minutes]
