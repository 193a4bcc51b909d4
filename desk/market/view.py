"""The scanners' view: the whole market by the minute, from an iteration of the source of its own."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.bars.columns import BarColumns, MinuteColumns, TradeColumns, allowance
from desk.market.blocks import TRADE, Block, BlockSource
from desk.market.checks import causes
from desk.model.bars import Bar
from desk.model.units import MINUTE_NS, floor_to
from desk.scanner import MarketSnapshot

SNAPSHOT_MINUTES: Final = 60


class MarketView:
    """Reads the source up to a session time (`recv_ns`, exclusive, to the row), and tells what it has seen.

    Time only goes forward: take the snapshot of a mark before asking for bars up to a later one. The
    session's figures are of trades whose venue time is `start_ns` or later (None: the source's first row);
    the price (of the latest trade that may set a close) and the minutes go back to the source's beginning.
    Malformed rows are passed over. A symbol is in a snapshot from its first sound row on, of whatever kind.
    """

    def __init__(self, source: BlockSource, start_ns: int | None = None) -> None:
        self.now_ns = 0
        self._start_ns = source.start_ns if start_ns is None else start_ns
        self._blocks = source.blocks()
        self._block: Block | None = None
        self._sound = np.empty(0, np.bool_)
        self._row = 0
        self._names = np.array(source.symbols, object)
        self._number = {name: index for index, name in enumerate(source.symbols)}
        self._met = np.zeros(len(source.symbols) + 1, np.bool_)
        self._known = np.empty(0, np.intp)
        self._symbols: tuple[str, ...] = ()
        self._table: tuple[str, ...] | None = None
        self._numbers = np.empty(0, np.int32)
        self._minutes = MinuteColumns(len(source.symbols))
        self._session = BarColumns(len(source.symbols))
        self._earlier = BarColumns(len(source.symbols))

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
            sound = np.flatnonzero(self._sound[self._row : stop]) + self._row
            self._met[self._numbers[block.symbol[sound]]] = True
            self._fold(block, sound[block.kind[sound] == TRADE])
            self._row = max(stop, self._row)
            if stop < len(block):
                return

    def snapshot(self) -> MarketSnapshot:
        """The market as advanced to, of the symbols met so far."""
        session = self._session
        minutes = range(self._first_minute(), self.now_ns + 1, MINUTE_NS)
        known = self._met_so_far()
        high, low, close = session.high[known], session.low[known], session.close[known]
        seen = np.isfinite(high)
        return MarketSnapshot(
            now_ns=self.now_ns,
            symbols=self._symbols,
            price=np.where(np.isnan(close), self._earlier.close[known], close),
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

        Oldest first, flagged repaired, the last perhaps still open. Symbols that the source does not know
        have none.
        """
        self.advance(until_ns)
        return {
            name: self._minutes.of(self._number[name], name, "repaired") if name in self._number else []
            for name in symbols
        }

    def _met_so_far(self) -> NDArray[np.intp]:
        """The numbers of the symbols met so far, in their order."""
        known = np.flatnonzero(self._met[:-1])
        if len(known) != len(self._known):
            self._known = known
            self._symbols = tuple(self._names[known].tolist())
        return self._known

    def _open(self, block: Block) -> None:
        self._row = 0
        if block.symbols is not self._table:
            self._table = block.symbols
            self._numbers = np.array([self._number.get(name, -1) for name in block.symbols] + [-1], np.int32)
        self._sound = (causes(block) == 0) & (self._numbers[block.symbol] >= 0)

    def _fold(self, block: Block, rows: NDArray[np.intp]) -> None:
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
        matrix = np.full((len(minutes), len(self._names)), missing)
        for line, minute_ns in zip(matrix, minutes, strict=True):
            rows = self._minutes.rows(minute_ns)
            if rows is not None:
                here = rows >= 0
                line[here] = values[rows[here]]
        return matrix
