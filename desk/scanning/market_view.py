"""The scanners' view: the whole market by the minute, from its own iteration of the source."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.bars.columns import MinuteColumns, TradeColumns, allowance
from desk.bars.reference_price import reference_prices
from desk.model.bars import Bar
from desk.model.block_checks import rejection_causes
from desk.model.block_rows import columns_of, tick_of
from desk.model.blocks import QUOTE, TRADE, Block, BlockSource, are_revisions
from desk.model.ticks import Revision, Trade
from desk.model.units import MINUTE_NS, SECOND_NS, floor_to
from desk.scanner import MarketSnapshot
from desk.scanning.known_trades import KnownTrades
from desk.scanning.quote_columns import QuoteColumns
from desk.scanning.session_figures import SessionFigures

SNAPSHOT_MINUTES: Final = 60
NEVER_LATE_NS: Final = 1 << 61
BOTH: Final = frozenset({"trades", "quotes"})


class MarketView:
    """Reads the source up to a session time (`recv_ns`, exclusive), and gives snapshots and minutes.

    Time only advances: take the snapshot of a mark before asking for bars up to a later one. The session's figures
    count trades whose venue time is `start_ns` or later (None: the source's first row); the reference price and the
    minutes cover the source from its start. It ignores malformed rows, rows of `channels` ("trades", "quotes") that the
    plan does not use, and trades that shards reject: trades of minutes that are no longer revisable (by the plan's
    `revise_ns`), and duplicates. Corrections and cancels change minutes and figures. A symbol is in snapshots from its
    first sound row of any kind.
    """

    def __init__(
        self,
        source: BlockSource,
        start_ns: int | None = None,
        revise_ns: int | None = None,
        *,
        channels: frozenset[str] = BOTH,
    ) -> None:
        self.now_ns = 0
        self._start_ns = source.start_ns if start_ns is None else start_ns
        self._blocks = source.blocks()
        self._block: Block | None = None
        self._sound = np.empty(0, np.bool_)
        self._in_time = np.empty(0, np.bool_)
        self._row = 0
        self._names = np.array(source.symbols, object)
        self._number = {name: index for index, name in enumerate(source.symbols)}
        self._met = np.zeros(len(source.symbols) + 1, np.bool_)
        self._listed = np.empty(0, np.intp)
        self._symbols: tuple[str, ...] = ()
        self._table: tuple[str, ...] | None = None
        self._numbers = np.empty(0, np.int32)
        self._minutes = MinuteColumns(len(source.symbols))
        self._quotes = QuoteColumns(len(source.symbols))
        self._channels = channels
        self._figures = SessionFigures(len(source.symbols), self._start_ns)
        self._revise_ns = NEVER_LATE_NS if revise_ns is None else revise_ns
        self._known = KnownTrades(source.start_ns, self._revise_ns, self._figures.split_ns)
        self._named = False

    def advance(self, until_ns: int) -> None:
        """Read every row received before `until_ns`. Raises ValueError for a time before the previous one."""
        if until_ns < self.now_ns:
            raise ValueError(f"the view has reached {self.now_ns} and does not go back to {until_ns}")
        self.now_ns = until_ns
        block = self._block
        while True:
            if block is None or self._row == len(block):
                block = self._block = next(self._blocks, None)
                if block is None:
                    return
                self._open(block)
            stop = int(np.searchsorted(block.recv_ns, until_ns))
            sound = np.flatnonzero(self._sound[self._row : stop]) + self._row
            self._met[self._numbers[block.symbol[sound]]] = True
            self._take(block, sound[self._in_time[sound]])
            self._row = max(stop, self._row)
            if stop < len(block):
                return

    def snapshot(self) -> MarketSnapshot:
        """The market at the time reached, with the symbols seen so far."""
        session, earlier = self._figures.session, self._figures.earlier
        minutes = range(self._first_minute(), self.now_ns + 1, MINUTE_NS)
        known = self._met_so_far()
        high, low, close = session.high[known], session.low[known], session.close[known]
        printed = np.where(np.isnan(close), earlier.close[known], close)
        seen = np.isfinite(high)
        return MarketSnapshot(
            now_ns=self.now_ns,
            symbols=self._symbols,
            price=reference_prices(printed, self._quotes.bid[known], self._quotes.ask[known]),
            open=session.open[known],
            high=np.where(seen, high, np.nan),
            low=np.where(seen, low, np.nan),
            volume=session.volume[known],
            trades=session.trades[known],
            minute_volume=self._matrix(minutes, self._minutes.bars.volume, 0.0)[:, known],
            minute_close=self._matrix(minutes, self._minutes.bars.close, np.nan)[:, known],
        )

    def bars(self, symbols: Iterable[str], until_ns: int) -> dict[str, list[Bar]]:
        """The minutes of these symbols from all rows received before `until_ns`, to which the view advances.

        Oldest first, flagged repaired, the last perhaps still open. Symbols unknown to the source have none.
        """
        self.advance(until_ns)
        return {
            name: self._minutes.of(self._number[name], name, "repaired") if name in self._number else []
            for name in symbols
        }

    def remembered(self, symbols: Iterable[str]) -> dict[str, bytes]:
        """The remembered trades of these symbols at the time reached, encoded for a `Watch`.

        Symbols without any are left out.
        """
        self._known.reach(self.now_ns)
        packed = {name: self._known.packed(self._number[name]) for name in symbols if name in self._number}
        return {name: memory for name, memory in packed.items() if memory}

    def _met_so_far(self) -> NDArray[np.intp]:
        """The indices of the symbols seen so far, sorted by symbol."""
        listed = np.flatnonzero(self._met[:-1])
        if len(listed) != len(self._listed):
            self._listed = listed
            self._symbols = tuple(self._names[listed].tolist())
        return self._listed

    def _open(self, block: Block) -> None:
        self._row = 0
        if block.symbols is not self._table:
            self._table = block.symbols
            self._numbers = np.array([self._number.get(name, -1) for name in block.symbols] + [-1], np.int32)
        trade = (block.kind == TRADE) | are_revisions(block.kind)
        played = trade if "trades" in self._channels else np.zeros(len(block), np.bool_)
        if "quotes" in self._channels:
            played = played | (block.kind == QUOTE)
        self._sound = played & (rejection_causes(block) == 0) & (self._numbers[block.symbol] >= 0)
        revisable_ns = (block.recv_ns // SECOND_NS * SECOND_NS - self._revise_ns) // MINUTE_NS * MINUTE_NS
        self._in_time = (block.kind != TRADE) | (block.ts_ns >= revisable_ns)
        self._named = block.originals is not None or bool(np.any(block.trade_id))

    def _take(self, block: Block, rows: NDArray[np.intp]) -> None:
        """Apply rows: quotes, then trades."""
        quote = block.kind[rows] == QUOTE
        quotes = rows[quote]
        self._quotes.fold(self._numbers[block.symbol[quotes]], block, quotes)
        self._take_trades(block, rows[~quote])

    def _take_trades(self, block: Block, rows: NDArray[np.intp]) -> None:
        """Apply trades: whole blocks at once, or row by row if trades have identities."""
        if not (self._named or self._known) or not len(rows):
            self._fold(block, rows)
            return
        known = self._known
        news: list[int] = []
        next_ns = 0
        places = zip(
            rows.tolist(), block.recv_ns[rows].tolist(), self._numbers[block.symbol[rows]].tolist(), strict=True
        )
        for (row, recv_ns, number), columns in zip(places, columns_of(block, rows), strict=True):
            if recv_ns >= next_ns:
                known.reach(recv_ns)
                next_ns = known.next_mark_ns
            kind, ordinal, symbol, ts_ns, price, size, _, _, conditions, exchange, trade_id, tape, _ = columns
            if kind != TRADE:
                self._fold(block, np.array(news, np.intp))
                news = []
                self._revise(number, tick_of(block, row, ordinal, ts_ns))
                continue
            new = number not in known
            if new and not trade_id:
                news.append(row)
                continue
            trade = Trade(ordinal, symbol, ts_ns, recv_ns, price, size, conditions, exchange, trade_id, tape)
            if new:
                self._fold(block, np.array(news, np.intp))
                news = []
                known.begin(number, trade, self._minutes.of(number, "", "complete"), None)
            if known.take(number, trade):
                news.append(row)
        self._fold(block, np.array(news, np.intp))

    def _revise(self, number: int, revision: Trade | Revision) -> None:
        assert not isinstance(revision, Trade), "a trade revises nothing"
        done = self._known.revise(number, revision)
        if done is None:
            return
        revised, memory = done
        assert revised.old is not None, "revised without a trade"
        self._minutes.put(number, memory.fold(floor_to(revised.old.ts_ns, MINUTE_NS)))
        self._figures.revise(number, revised.old.ts_ns, memory, self._minutes)

    def _fold(self, block: Block, rows: NDArray[np.intp]) -> None:
        if not len(rows):
            return
        symbol = self._numbers[block.symbol[rows]]
        trades = TradeColumns(
            block.ts_ns[rows],
            block.first_ordinal + rows.astype(np.int64),
            block.price[rows],
            block.size[rows],
            allowance(block.conditions[rows], block.condition_codes),
        )
        self._minutes.fold(symbol, trades)
        self._figures.fold(symbol, trades)

    def _first_minute(self) -> int:
        newest_ns = floor_to(self.now_ns, MINUTE_NS)
        return max(floor_to(self._start_ns, MINUTE_NS), newest_ns - (SNAPSHOT_MINUTES - 1) * MINUTE_NS)

    def _matrix(self, minutes: range, values: NDArray[np.float64], missing: float) -> NDArray[np.float64]:
        """A column of the minutes by (minute, symbol)."""
        matrix = np.full((len(minutes), len(self._names)), missing)
        for line, minute_ns in zip(matrix, minutes, strict=True):
            rows = self._minutes.rows(minute_ns)
            if rows is not None:
                here = rows >= 0
                line[here] = values[rows[here]]
        return matrix
