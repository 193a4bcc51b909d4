"""The market's past as the play's source holds it, by symbol, up to the play's present.

Faults of the stream do not reach it: what the stream withheld is here.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.column_encoders import FIRST_FRESH_ID
from desk.local_venue.events import PlayedEvents, played
from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.market_rows import QuoteRows, TradeRows
from desk.local_venue.rest.revised_trades import RevisionRow, revised
from desk.local_venue.rest.rows_by_symbol import Columns, RowsBySymbol
from desk.local_venue.rest.session_times import SessionTimes
from desk.local_venue.stock_layout import SHORT_SYMBOL
from desk.local_venue.venue_settings import PlaySettings
from desk.model.blocks import CORRECTION, QUOTE, TRADE, Block, BlockSource, are_revisions

AHEAD_EVENTS: Final = 65_536
"""Events read at the start, to learn the first prices of most symbols."""
NO_TRADES: Final[Columns] = {
    "recv_ns": np.zeros(0, np.int64),
    "ts_ns": np.zeros(0, np.int64),
    "number": np.zeros(0, np.int64),
    "price": np.zeros(0),
    "size": np.zeros(0),
    "exchange": np.zeros(0, np.int16),
    "conditions": np.zeros(0, np.int16),
    "tape": np.zeros(0, np.int16),
    "trade_id": np.zeros(0, np.uint64),
    "fresh": np.zeros(0, np.bool_),
}
NO_QUOTES: Final[Columns] = {
    **{name: NO_TRADES[name] for name in ("recv_ns", "ts_ns", "number", "exchange", "conditions", "tape")},
    **dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), np.zeros(0)),
}


class _Names(dict[str, int]):
    """Small numbers for the strings of a table, in the order of their first use."""

    def __missing__(self, name: str) -> int:
        number = self[name] = len(self)
        return number

    def numbers(self, table: Sequence[str]) -> NDArray[np.int16]:
        """The numbers of a block's table, with that of "" for index -1 at the end."""
        return np.array([self[name] for name in (*table, "")], np.int16)


class MarketStore:
    """Reads the source as far as the play has come; about 60 bytes per event stay in memory.

    `symbols` are the source's; `first_prices` the first price of each symbol near the source's start.
    """

    def __init__(self, source: BlockSource, play: PlaySettings) -> None:
        self.symbols = source.symbols
        self.start_ns = source.start_ns
        self.first_prices: dict[str, float] = {}
        self.exchanges, self.conditions, self.tapes = _Names(), _Names(), _Names()
        self._index = {symbol: number for number, symbol in enumerate(source.symbols)}
        self._tape_by_length = np.array(
            [self.tapes["A" if len(symbol) <= SHORT_SYMBOL else "C"] for symbol in source.symbols], np.int16
        )
        self._chunks: Iterator[PlayedEvents] = played(source, play)
        self._ahead: list[PlayedEvents] = []
        self._trades = RowsBySymbol(len(source.symbols))
        self._quotes = RowsBySymbol(len(source.symbols))
        self._revisions: dict[int, list[RevisionRow]] = {}
        self._times = SessionTimes(play)
        self._repeats_rate = play.rate_per_s is not None
        self._numbered = 0
        self._look_ahead()

    def advance(self, moment: PlayMoment) -> None:
        """Read up to the play's present; to the end where the times depend on earlier rounds."""
        all_of_it = self._repeats_rate and moment.rounds > 0
        while self._ahead or self._pull():
            if self._ahead[0].events.recv_ns[0] > moment.reached_ns and not all_of_it:
                return
            self._take(*self._ahead.pop(0))

    def trades(self, symbol: str, moment: PlayMoment) -> TradeRows:
        """The symbol's trades so far by (venue time, arrival), each identity once, with their corrections and cancels.

        Raises RestFault if the times of the play cannot be known.
        """
        number = self._index.get(symbol, -1)
        rows = self._known(self._trades, number, moment) or NO_TRADES
        ids = np.where(
            rows["fresh"],
            (FIRST_FRESH_ID + moment.earlier_events + rows["number"]).astype(np.uint64),
            rows["trade_id"],
        )
        trades = TradeRows(
            self._times.of(moment, rows["recv_ns"], rows["ts_ns"], rows["number"]),
            rows["number"],
            rows["price"],
            rows["size"],
            rows["exchange"],
            rows["conditions"],
            rows["tape"],
            ids,
            np.zeros(len(ids), np.int8),
        )
        revisions = [row for row in self._revisions.get(number, ()) if row.recv_ns <= moment.reached_ns]
        return revised(trades, revisions).in_order()

    def quotes(self, symbol: str, moment: PlayMoment) -> QuoteRows:
        """The symbol's quotes so far by (venue time, arrival); likewise."""
        rows = self._known(self._quotes, self._index.get(symbol, -1), moment) or NO_QUOTES
        return QuoteRows(
            self._times.of(moment, rows["recv_ns"], rows["ts_ns"], rows["number"]),
            rows["number"],
            rows["bid"],
            rows["bid_size"],
            rows["ask"],
            rows["ask_size"],
            rows["exchange"],
            rows["conditions"],
            rows["tape"],
        ).in_order()

    def _known(self, table: RowsBySymbol, number: int, moment: PlayMoment) -> Columns:
        if number < 0 or moment.state == "waiting":
            return {}
        rows = table.of(number)
        # Rows are in the order of arrival.
        count = int(np.searchsorted(rows["recv_ns"], moment.reached_ns, "right")) if rows else 0
        return {name: column[:count] for name, column in rows.items()}

    def _look_ahead(self) -> None:
        read = 0
        while read < AHEAD_EVENTS and self._pull():
            read += len(self._ahead[-1].events)
            self._note_first_prices(self._ahead[-1].events)

    def _note_first_prices(self, events: Block) -> None:
        trades = np.flatnonzero(events.kind == TRADE)
        quoted = np.flatnonzero((events.kind == QUOTE) & (events.bid > 0) & (events.ask > 0))
        for rows, prices in ((trades, events.price[trades]), (quoted, (events.bid + events.ask)[quoted] / 2)):
            first, at = np.unique(events.symbol[rows], return_index=True)
            for number, price in zip(first.tolist(), prices[at].tolist(), strict=True):
                self.first_prices.setdefault(self.symbols[number], price)

    def _pull(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self._ahead.append(chunk)
        return True

    def _take(self, events: Block, fresh_ids: bool) -> None:
        number = self._numbered + np.arange(len(events))
        self._numbered += len(events)
        self._times.count(len(events))
        tape = (
            self._tape_by_length[events.symbol]
            if events.tape is None
            else self.tapes.numbers(events.tapes)[events.tape]
        )
        common: dict[str, NDArray[Any]] = {
            "recv_ns": events.recv_ns,
            "ts_ns": events.ts_ns,
            "number": number,
            "exchange": self.exchanges.numbers(events.exchanges)[events.exchange],
            "conditions": self.conditions.numbers(events.condition_codes)[events.conditions],
            "tape": tape,
        }
        trades = {
            **common,
            "price": events.price,
            "size": events.size,
            "trade_id": events.trade_id,
            "fresh": np.full(len(events), fresh_ids),
        }
        quotes = {**common, **{name: getattr(events, name) for name in ("bid", "bid_size", "ask", "ask_size")}}
        for table, kind, columns in ((self._trades, TRADE, trades), (self._quotes, QUOTE, quotes)):
            rows = np.flatnonzero(events.kind == kind)
            table.append(events.symbol[rows], {name: column[rows] for name, column in columns.items()})
        self._take_revisions(events, trades)

    def _take_revisions(self, events: Block, columns: Columns) -> None:
        for row in np.flatnonzero(are_revisions(events.kind)).tolist():
            assert events.originals is not None, "a correction or cancel in a block without originals"
            revision = RevisionRow(
                int(events.recv_ns[row]),
                bool(events.kind[row] == CORRECTION),
                int(events.originals.trade_id[row]),
                int(columns["exchange"][row]),
                int(columns["tape"][row]),
                int(events.trade_id[row]),
                float(events.price[row]),
                float(events.size[row]),
                int(columns["conditions"][row]),
            )
            self._revisions.setdefault(int(events.symbol[row]), []).append(revision)
