"""What was seen of an elastic desk over time, and what can be told from it."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from desk.model.units import MS_NS
from desk.telemetry.histogram import HistogramSnapshot, counted_since

CALM_S = 5.0


class Moment(msgspec.Struct, frozen=True):
    """What was seen at one moment, `since_s` after the play began; `sent` and `queue` are running totals.

    `working` consumers have a lane, `pending` ones were asked for and are not there yet, `nodes` may hold them.
    """

    since_s: float
    sent: int
    wanted: int
    working: int
    pending: int
    nodes: int
    queue: HistogramSnapshot


class Point(msgspec.Struct, frozen=True):
    """The same as it is drawn: rates and quantiles since the moment before; None where nothing was applied."""

    since_s: float
    sent_per_s: float
    wanted: int
    working: int
    pending: int
    nodes: int
    queue_p50_ms: float | None
    queue_p99_ms: float | None


class Trace(msgspec.Struct, frozen=True):
    """A whole run; at `step_s` the load was multiplied, from `hover_s` on it hovers. Readable without the code."""

    command: str
    objective_ms: float
    step_s: float
    back_s: float
    hover_s: float
    points: list[Point]


def points(moments: Sequence[Moment]) -> list[Point]:
    """What happened between the moments."""
    return [_point(before, now) for before, now in pairwise(moments) if now.since_s > before.since_s]


def between(seen: Sequence[Point], from_s: float, to_s: float) -> list[Point]:
    """Those of this time."""
    return [point for point in seen if from_s < point.since_s <= to_s]


def recovered_s(seen: Sequence[Point], objective_ms: float, step_s: float, until_s: float) -> float | None:
    """How long after the step p99 time in queue is within its objective, and stays there for CALM_S.

    0 if it never left it, None if that does not come in time. Where nothing is taken up, everything waits.
    """
    late_s = step_s
    for point in between(seen, step_s, until_s):
        if point.queue_p99_ms is None or point.queue_p99_ms > objective_ms:
            late_s = point.since_s
        elif point.since_s - late_s >= CALM_S:
            return round(late_s - step_s, 1)
    return None


def changes(seen: Sequence[Point]) -> int:
    """How often another number of consumers was wanted."""
    return sum(before.wanted != now.wanted for before, now in pairwise(seen))


def consumer_s(seen: Sequence[Point]) -> float:
    """For how long consumers were there, all together."""
    return sum(now.working * (now.since_s - before.since_s) for before, now in pairwise(seen))


def queue_ms(moments: Sequence[Moment], from_s: float, to_s: float, q: float) -> float | None:
    """A quantile of the time in queue of all that was taken up in this time."""
    known = [moment.queue for moment in moments if from_s <= moment.since_s <= to_s]
    return _ms(counted_since(known[-1], known[0]).quantile(q)) if known else None


def _point(before: Moment, now: Moment) -> Point:
    queue = counted_since(now.queue, before.queue)
    return Point(
        round(now.since_s, 2),
        round((now.sent - before.sent) / (now.since_s - before.since_s), 1),
        now.wanted,
        now.working,
        now.pending,
        now.nodes,
        _ms(queue.quantile(0.5)),
        _ms(queue.quantile(0.99)),
    )


def _ms(value_ns: int | None) -> float | None:
    return None if value_ns is None else round(value_ns / MS_NS, 2)
