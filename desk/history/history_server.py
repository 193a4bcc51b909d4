"""Answers questions about the market's past from a vendor's history, one at a time."""

from collections.abc import Sequence
from math import inf
from typing import Final

import msgspec

from desk.history.session_history import SessionHistory
from desk.model.errors import DeskError
from desk.model.history import Answer, BarsAnswer, Question, TradesAnswer, TradesPart, TradesQuestion
from desk.model.items import encode_trades
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, floor_to
from desk.telemetry.audit import fault_line
from desk.venues.market_history import HistoryUnavailable, MarketHistory

TRADES_PER_PART: Final = 4_000
"""A part has whole minutes, and about so many trades at most: it is one item of a lane."""


class HistoryServer:
    """Answers from one market's history. `answered` counts the questions.

    A history that fails is an answer, never an exception. `market` is None where only kept bars are available, `bars`
    where no bars are needed.
    """

    def __init__(self, market: MarketHistory | None, bars: SessionHistory | None = None) -> None:
        self._market = market
        self._bars = bars
        self.answered = 0

    def serve(self, question: Question) -> Answer:
        """Answer the question; this waits for the vendor. Raises RunFailed for a run folder that cannot be written."""
        self.answered += 1
        if isinstance(question, TradesQuestion):
            try:
                return self._trades(question)
            except Exception as fault:  # noqa: BLE001 - a vendor's client may raise anything; the answer says what
                return TradesAnswer(question.number, why=self._named(fault))
        try:
            if self._bars is None:
                raise HistoryUnavailable("it has no bars")  # noqa: TRY301 - as any other reason
            return self._bars.answer(question)
        except DeskError:
            raise
        except Exception as fault:  # noqa: BLE001 - as above
            return BarsAnswer(question.number, why=self._named(fault))

    def _named(self, fault: Exception) -> str:
        place = "the recorded history" if self._market is None else self._market.place
        if not isinstance(fault, HistoryUnavailable):
            return f"{place} failed: {fault_line(fault)}"
        text = str(fault)
        return text if text.startswith(place) else f"{place}: {text}"

    def _trades(self, question: TradesQuestion) -> TradesAnswer:
        market, witness = self._market, question.witness
        if market is None:
            raise HistoryUnavailable("it has no trades")
        if witness is not None and not _has(market, witness):
            why = f"it does not have trade {witness.trade_id} of {witness.symbol} yet, which the stream has sent"
            raise HistoryUnavailable(why)
        found: dict[str, list[Trade]] = {symbol: [] for symbol in question.symbols}
        for page in market.trades(question.symbols, question.from_ns, question.to_ns):
            for trade in page:
                if trade.symbol in found and question.from_ns <= trade.ts_ns < question.to_ns and _is_sound(trade):
                    found[trade.symbol].append(trade)
        parts = []
        for symbol, trades in found.items():
            trades.sort(key=lambda trade: trade.ts_ns)
            parts += _parts(symbol, question.from_ns, question.to_ns, _numbered(trades))
        return TradesAnswer(question.number, parts)


def _has(market: MarketHistory, witness: Trade) -> bool:
    pages = market.trades([witness.symbol], witness.ts_ns, witness.ts_ns + 1)
    key = (witness.trade_id, witness.exchange, witness.tape)
    return any((trade.trade_id, trade.exchange, trade.tape) == key for page in pages for trade in page)


def _is_sound(trade: Trade) -> bool:
    return 0.0 < trade.price < inf and 0.0 < trade.size < inf


def _numbered(trades: Sequence[Trade]) -> list[Trade]:
    """The trades with ordinals that rise, and are below those of all ticks."""
    first = -len(trades)
    return [msgspec.structs.replace(trade, ordinal=first + index) for index, trade in enumerate(trades)]


def _parts(symbol: str, from_ns: int, to_ns: int, trades: Sequence[Trade]) -> list[TradesPart]:
    """Cut the trades, oldest first, into parts of whole minutes."""
    parts: list[TradesPart] = []
    part: list[Trade] = []
    for trade in trades:
        minute_ns = floor_to(trade.ts_ns, MINUTE_NS)
        if len(part) >= TRADES_PER_PART and minute_ns > part[-1].ts_ns:
            parts.append(TradesPart(symbol, from_ns, minute_ns, encode_trades(part)))
            from_ns, part = minute_ns, []
        part.append(trade)
    return [*parts, TradesPart(symbol, from_ns, to_ns, encode_trades(part))]
