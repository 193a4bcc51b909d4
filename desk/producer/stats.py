"""The figures of the producer at one moment.

Tests: tests/desk/report/test_viewer.py
"""

from collections.abc import Iterable, Sequence

import msgspec

from desk.flow import Lane
from desk.model.lane_row import LaneRow
from desk.model.notes import Note
from desk.model.records import GapRecord
from desk.ports import Feed
from desk.producer.feed_watch.watch import FeedFigures
from desk.telemetry.histogram import HistogramSnapshot


class LoopStats(msgspec.Struct, array_like=True):
    """The figures of the producer at wall time `wall_ns`, for the live table.

    `notes` are the latest of the `noted` notes of this `epoch`, newest last; `alerts` are the feed's current faults.
    `waiting` are the shards that are down. `owners` has the shard of each slot; `moving`: a move is requested or not
    complete. `pauses` are the times from fence to adoption of the `moves` so far.
    """

    session_ns: int
    progress: float | None
    received: dict[str, int]
    subscribed: int
    wanted_by_scanners: int
    open_positions: int
    lanes: list[LaneRow]
    notes: list[Note]
    noted: int = 0
    waiting: list[int] = []
    gaps: list[GapRecord] = []
    rejected: dict[str, dict[str, int]] = {}
    skipped: dict[str, int] = {}
    table_version: int = 1
    moves: int = 0
    moving: bool = False
    owners: Sequence[int] = ()
    pauses: HistogramSnapshot = msgspec.field(default_factory=HistogramSnapshot)
    wall_ns: int = 0
    epoch: int = 0
    alerts: list[str] = []
    feed: FeedFigures = FeedFigures()


def progress_of(feed: Feed, session_ns: int) -> float | None:
    """The share of the session that is done, 0 to 1; None if its end is unknown."""
    if feed.start_ns is None or feed.end_ns is None or feed.end_ns <= feed.start_ns:
        return None
    return min(max((session_ns - feed.start_ns) / (feed.end_ns - feed.start_ns), 0.0), 1.0)


def lane_rows(lanes: Iterable[Lane], now_ns: int) -> list[LaneRow]:
    """A row per lane, at this wall time."""
    rows = []
    for lane in lanes:
        totals, config = lane.totals(), lane.config
        row = LaneRow(
            shard=lane.shard,
            depth=lane.depth,
            capacity=config.capacity,
            in_flight=len(lane.in_flight),
            window=config.window_batches,
            conflated=totals.quotes_conflated,
            dropped_by_cause={"aged": totals.trades_aged, "full": totals.trades_full + totals.quotes_full},
            busy_ns=lane.busy_ns,
            age_ns=lane.age_ns(now_ns),
        )
        rows.append(row)
    return rows
