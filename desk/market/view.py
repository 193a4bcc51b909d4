"""The scanners' view: the whole market by the minute, from an iteration of the source of its own."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.bars.columns import BarColumns, MinuteColumns, TradeColumns, allowance
from desk.market.blocks import QUOTE, TRADE, Block, BlockSource
from desk.market.checks import causes
from desk.market.quotes import QuoteColumns
from desk.model.bars import Bar
from desk.model.units import MINUTE_NS, floor_to
from desk.pricing import reference_prices
from desk.scanner import MarketSnapshot

SNAPSHOT_MINUTES: Final = 60
BOTH: Final = frozenset({"trades", "quotes"})


class MarketView:
    """Reads the source up to a session time (`recv_ns`, exclusive, to the row), and tells what it has seen.

    Time only goes forward: take the snapshot of a mark before asking for bars up to a later one. The
    session's figures are of trades whose venue time is `start_ns` or later (None: the source's first row);
    the reference price and the minutes go back to the source's beginning. Malformed rows are passed over, and so are
    those of other `channels` ("trades", "quotes") than the desk is given.
    """

    def __init__(self, source: BlockSource, start_ns: int | None = None, *, channels: frozenset[str] = BOTH) -> None:
        self.now_ns = 0
        self.symbols = source.symbols
        self._start_ns = source.start_ns if start_ns is None else start_ns
        self._blocks = source.blocks()
        self._block: Block | None = None
        self._sound = np.empty(0, np.bool_)
        self._row = 0
        self._number = {name: index for index, name in enumerate(source.symbols)}
        self._table: tuple[str, ...] | None = None
        self._numbers = np.empty(0, np.int32)
        self._minutes = MinuteColumns(len(source.symbols))
        self._session = BarColumns(len(source.symbols))
        self._earlier = BarColumns(len(source.symbols))
        self._quotes = QuoteColumns(len(source.symbols))
        self._kinds = [kind for kind, name in ((TRADE, "trades"), (QUOTE, "quotes")) if name in channels]

    def advance(self, until_ns: int) -> None:
        """See every row received before `until_ns`. Raises ValueError for a time before the last one."""
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
            self._fold(block, np.flatnonzero(self._sound[self._row : stop]) + self._row)
            self._row = max(stop, self._row)
            if stop < len(block):
                return

    def snapshot(self) -> MarketSnapshot:
        """The market as advanced to."""
        session = self._session
        printed = np.where(np.isnan(session.close), self._earlier.close, session.close)
        minutes = range(self._first_minute(), self.now_ns + 1, MINUTE_NS)
        seen = np.isfinite(session.high)
        return MarketSnapshot(
            now_ns=self.now_ns,
            symbols=self.symbols,
            price=reference_prices(printed, self._quotes.bid, self._quotes.ask),
            open=session.open.copy(),
            high=np.where(seen, session.high, np.nan),
            low=np.where(seen, session.low, np.nan),
            volume=session.volume.copy(),
            trades=session.trades.copy(),
            minute_volume=self._matrix(minutes, self._minutes.bars.volume, 0.0),
            minute_close=self._matrix(minutes, self._minutes.bars.close, np.nan),
        )

    def bars(self, symbols: Iterable[str], until_ns: int) -> dict[str, list[Bar]]:
        """The minutes of these symbols from all rows received before `until_ns`, to which the view advances.

        Oldest first, flagged repaired, the last perhaps still open. Symbols that the source does not know
        have none.
        """
        self.advance(until_ns)
        return {
            name: self._minutes.of(self._number[name], name, "repaired") if name in self._number else []
            for name in symbols
        }

    def _open(self, block: Block) -> None:
        self._row = 0
        if block.symbols is not self._table:
            self._table = block.symbols
            self._numbers = np.array([self._number.get(name, -1) for name in block.symbols] + [-1], np.int32)
        self._sound = np.isin(block.kind, self._kinds) & (causes(block) == 0) & (self._numbers[block.symbol] >= 0)

    def _fold(self, block: Block, rows: NDArray[np.intp]) -> None:
        trade = block.kind[rows] == TRADE
        quotes = rows[~trade]
        self._quotes.fold(self._numbers[block.symbol[quotes]], block, quotes)
        self._fold_trades(block, rows[trade])

    def _fold_trades(self, block: Block, rows: NDArray[np.intp]) -> None:
        symbol = self._numbers[block.symbol[rows]]
        trades = TradeColumns(
            block.ts_ns[rows],
            block.first_ordinal + rows.astype(np.int64),
            block.price[rows],
            block.size[rows],
            allowance(block.conditions[rows], block.condition_codes),
        )
        self._minutes.fold(symbol, trades)
        in_session = trades.ts_ns >= self._start_ns
        for bars, here in ((self._session, in_session), (self._earlier, ~in_session)):
            if here.any():
                bars.fold(symbol[here].astype(np.intp), trades.only(here))

    def _first_minute(self) -> int:
        newest_ns = floor_to(self.now_ns, MINUTE_NS)
        return max(floor_to(self._start_ns, MINUTE_NS), newest_ns - (SNAPSHOT_MINUTES - 1) * MINUTE_NS)

    def _matrix(self, minutes: range, values: NDArray[np.float64], missing: float) -> NDArray[np.float64]:
        """A column of the minutes by (minute, symbol)."""
        matrix = np.full((len(minutes), len(self.symbols)), missing)
        for line, minute_ns in zip(matrix, minutes, strict=True):
            rows = self._minutes.rows(minute_ns)
            if rows is not None:
                here = rows >= 0
                line[here] = values[rows[here]]
        return matrix
