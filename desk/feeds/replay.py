"""Recorded or synthetic market data as a feed: as fast as it is read, or at a factor of real time."""

from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Final, Never

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from desk.model.block_rows import BlockFeedCounts, BlockRows, Original, Row
from desk.model.blocks import CANCEL, QUOTE, TRADE, Block, BlockSource
from desk.model.feed_position import FeedPosition
from desk.model.notices import Notice
from desk.model.ticks import Cancel, Correction, Event, Frame, Quote, Trade
from desk.model.units import MS_NS, SECOND_NS, ceil_to, floor_to
from desk.ports import Clock, FeedCounts

MAX_TICKS: Final = 4096
PACED_FRAME_NS: Final = 10 * MS_NS
NO_ORIGINAL: Final[Original] = (0, 0.0, 0.0, "")
ALL: Final = "*"


class BlockFeed:
    """A feed over a block source, which is read once; the ordinal of a tick is its row number.

    Session time is `recv_ns`. The session runs from the second of `start_ns` (None: of the first row) to
    the end of the second of the last row or to `stop_ns`, whichever is first; rows before `start_ns` are
    skipped, and so are, at the end, rows from `stop_ns` on. Each second ends with a frame with `mark`, with or without
    ticks. No frame has more than MAX_TICKS ticks: a second that has more is cut into several, the last with the mark.

    With `speed` None there is one frame per second (more if it has too many ticks), as fast as the caller reads them.
    Otherwise session time passes `speed` times as fast as wall time, in frames that span at most
    10 ms of wall time; due times count from the first frame, so delays do not add up. Quiet seconds before
    the source's first row are due at once.

    With `resume`, the position of another feed over this source, it continues behind that mark, with those totals, and
    returns the frames that the other feed would have returned; due times count from that mark. Raises ValueError for a
    position that is not a whole second.

    Rows of symbols not subscribed and of channels ("trades", "quotes") not requested are skipped; notices belong to no
    channel. Malformed rows
    of the others are received and rejected, see desk/model/block_checks.py.
    """

    repeatable = True
    descriptor: int | None = None
    counts: FeedCounts

    def __init__(
        self,
        source: BlockSource,
        clock: Clock,
        *,
        channels: frozenset[str] = frozenset({"trades", "quotes"}),
        start_ns: int | None = None,
        stop_ns: int | None = None,
        speed: float | None = None,
        resume: FeedPosition | None = None,
    ) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(f"speed is {speed}; expected a positive number, or None for as fast as possible")
        if resume is not None and resume.mark_ns % SECOND_NS:
            raise ValueError(f"the position is {resume.mark_ns}; expected a mark, which is a whole second")
        self.lossless = speed is None
        self._source = source
        self._clock = clock
        self._channels = channels
        self._speed = speed
        self._from_ns = source.start_ns if start_ns is None else start_ns
        self._stop_ns = stop_ns
        self.start_ns: int | None = floor_to(self._from_ns, SECOND_NS)
        last_ns = source.end_ns if stop_ns is None else min(stop_ns, source.end_ns)
        self._end_ns = max(ceil_to(last_ns, SECOND_NS), self.start_ns)
        self.end_ns: int | None = self._end_ns
        self.counts = self._counts = BlockFeedCounts()
        if resume is not None:
            self._counts.restore(resume)
        self._symbols: set[str] = set()
        self._changed = False
        self._reached_ns = self.start_ns if resume is None else max(resume.mark_ns, self.start_ns)
        self._mark_ns = self._reached_ns
        self._passed_ns = self._reached_ns if self._reached_ns > self.start_ns else None
        self._boundary_ns: int | None = None
        self._pending: list[Row] = []
        self._pending_lag_ns: list[int] = []
        self._paced_from: tuple[int, int] | None = None
        self._hurried = False
        self.ended = False
        self.due_ns = 0
        self._frames = self._all_frames()

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Return these symbols' ticks from the next frame on; "*" is all."""
        self._symbols.update(symbols)
        self._changed = True

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Skip these symbols' rows from the next frame on."""
        self._symbols.difference_update(symbols)
        self._changed = True

    def hurry(self) -> None:
        """Make every frame due at once."""
        self._hurried, self.due_ns = True, 0

    def take_gaps(self) -> list[Never]:
        """None: a source has no gaps."""
        return []

    def position(self) -> FeedPosition:
        """Where another feed over this source continues, after a frame with a mark."""
        return self._counts.position(self._mark_ns)

    def open(self) -> None:
        """Do nothing: the first read opens the source."""

    def read(self) -> Frame | None:
        """The next frame; None if it is not due, or if the session has ended. Every whole second is marked."""
        try:
            return next(self._frames)
        except StopIteration:
            self.ended = True
            return None

    def close(self) -> None:
        """Stop reading."""
        self._frames.close()

    def _all_frames(self) -> Generator[Frame | None, None, None]:
        """Frames to the end of the session; None while the next is not due."""
        table: tuple[str, ...] | None = None
        wanted = np.empty(0, np.bool_)
        blocks = self._source.blocks()
        beyond: list[Block] = []
        for block in blocks:
            stop = len(block) if self._stop_ns is None else _rows_before(block, self._stop_ns)
            row = 0 if self._passed_ns is None else _rows_before(block, self._passed_ns)
            while row < stop:
                if self._changed or block.symbols is not table:
                    table, wanted = block.symbols, self._wanted(block.symbols)
                    self._changed = False
                rows = BlockRows(block, row, stop, wanted, self._channels, self._from_ns)
                row = yield from self._frames_of(rows, row)
            if stop < len(block):
                beyond.append(block.part(stop, len(block)))
                break
        yield from self._last_frames()
        for block in chain(beyond, blocks):
            self._counts.skip(block)

    def _frames_of(self, rows: BlockRows, row: int) -> Generator[Frame | None, None, int]:
        """The frames that these rows complete, until they end or subscriptions change: then, the next row."""
        while row < rows.stop:
            boundary_ns = self._boundary_ns or self._next_boundary(rows.recv_ns[row])
            self._boundary_ns = boundary_ns
            full = bisect_left(rows.recv_ns, boundary_ns, row, rows.stop)
            upto = rows.limit(row, full, MAX_TICKS - len(self._pending))
            session_ns = rows.recv_ns[upto] if upto < full else boundary_ns
            yield from self._until_due(session_ns)
            if self._changed:
                break
            taken, lag_ns = rows.take(upto, self._counts, self._source.place)
            if upto < full or full < rows.stop:
                if upto == full:
                    self._boundary_ns = None
                yield self._frame(taken, lag_ns, session_ns)
            else:
                self._pending.extend(taken)
                self._pending_lag_ns.extend(lag_ns)
            row = upto
        return row

    def _last_frames(self) -> Iterator[Frame | None]:
        """The rest of the last second, and the quiet seconds to the end of the session."""
        while self._pending or self._boundary_ns or self._reached_ns < self._end_ns:
            boundary_ns = self._boundary_ns or self._next_mark()
            yield from self._until_due(boundary_ns)
            self._boundary_ns = None
            yield self._frame(iter(()), [], boundary_ns)

    def _frame(self, taken: Iterator[Row], lag_ns: list[int], session_ns: int) -> Frame:
        """The frame of the pending rows and those taken."""
        rows: Iterable[Row] = taken
        if self._pending:
            rows = chain(self._pending, taken)
            lag_ns = self._pending_lag_ns + lag_ns
            self._pending, self._pending_lag_ns = [], []
        mark = session_ns % SECOND_NS == 0 and self._boundary_ns is None
        self._reached_ns = session_ns
        if mark:
            self._mark_ns = session_ns
        lag_ns.sort()
        fastest_ns = lag_ns[0] if lag_ns else None
        return Frame(_ticks(rows, self._clock.wall_ns()), session_ns, mark, _median(lag_ns), fastest_ns)

    def _next_boundary(self, recv_ns: int) -> int:
        """The session time of the next frame, whose first row was received at `recv_ns`."""
        mark_ns = self._next_mark()
        if self._speed is None or recv_ns >= mark_ns:
            return mark_ns
        span_ns = max(1, int(PACED_FRAME_NS * self._speed))
        return min(mark_ns, max(recv_ns, self._reached_ns) + span_ns)

    def _next_mark(self) -> int:
        return floor_to(self._reached_ns, SECOND_NS) + SECOND_NS

    def _until_due(self, session_ns: int) -> Iterator[None]:
        """None until a frame of this session time is due. Its rows are taken only then: a stop leaves none of them."""
        if self._speed is None:
            return
        now_ns = self._clock.wall_ns()
        if self._paced_from is None:
            first_ns = max(self._reached_ns, floor_to(self._source.start_ns, SECOND_NS))
            self._paced_from = (first_ns, now_ns)
        first_ns, began_ns = self._paced_from
        due_ns = began_ns + int((session_ns - first_ns) / self._speed)
        while now_ns < due_ns and not self._hurried:
            self.due_ns = due_ns
            yield None
            now_ns = self._clock.wall_ns()
        self.due_ns = 0

    def _wanted(self, symbols: tuple[str, ...]) -> NDArray[np.bool_]:
        """By symbol index, whether its rows are read; rows without a symbol are, so that they are rejected."""
        every = ALL in self._symbols
        return np.array([every or name in self._symbols or not name for name in symbols] + [True], np.bool_)


def _rows_before(block: Block, time_ns: int) -> int:
    return int(np.searchsorted(block.recv_ns, time_ns))


def _ticks(rows: Iterable[Row], received_ns: int) -> list[Event]:
    """The hot loop: one struct per row, positional because keywords cost twice as much."""
    return [
        Trade(ordinal, symbol, ts_ns, received_ns, first, size, conditions, exchange, trade_id, tape)
        if kind == TRADE
        else Quote(ordinal, symbol, ts_ns, received_ns, first, size, ask, ask_size, exchange, conditions)
        if kind == QUOTE
        else _rare(
            kind, (ordinal, symbol, ts_ns, received_ns), (exchange, tape), (first, size, conditions, trade_id), more
        )
        for kind, ordinal, symbol, ts_ns, first, size, ask, ask_size, conditions, exchange, trade_id, tape, more in rows
    ]


def _rare(
    kind: int,
    head: tuple[int, str, int, int],
    venue: tuple[str, str],
    corrected: tuple[float, float, str, int],
    more: Original | Notice | None,
) -> Event:
    """A notice, or a row that changes an earlier trade: a cancel takes it back."""
    if isinstance(more, Notice):
        return structs.replace(more, ordinal=head[0], received_ns=head[3])
    exchange, tape = venue
    original_id, price, size, conditions = more or NO_ORIGINAL
    if kind == CANCEL:
        return Cancel(*head, original_id, exchange, tape, price, size)
    return Correction(*head, original_id, *corrected[:3], exchange, corrected[3], tape, price, size, conditions)


def _median(values: list[int]) -> int | None:
    """Of sorted values."""
    if not values:
        return None
    count = len(values)
    return (values[(count - 1) // 2] + values[count // 2]) // 2
