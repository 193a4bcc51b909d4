"""What the producer sees at one moment.

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
    """What the producer sees at one moment, for the live table.

    `notes` are the latest of `noted` by this `epoch`, newest last; `alerts` are what is wrong with the feed now.
    `waiting` are the shards whose successors are waited for.
    `owners` are the shards of all slots, `moving` that this is about to change; `pauses` are the times from fence to
    adoption of the `moves` so far. `wall_ns` is when this was so.
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
    """How much of the session is done, 0 to 1; None where its end is not known."""
    if feed.start_ns is None or feed.end_ns is None or feed.end_ns <= feed.start_ns:
        return None
    return min(max((session_ns - feed.start_ns) / (feed.end_ns - feed.start_ns), 0.0), 1.0)


def lane_rows(lanes: Iterable[Lane], now_ns: int) -> list[LaneRow]:
    """Each lane at this wall time."""
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
