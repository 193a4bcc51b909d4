"""Samples of an elastic desk over time, and the figures derived from them."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from desk.model.units import MS_NS
from desk.telemetry.histogram import HistogramSnapshot, counted_since

CALM_S = 5.0


class Moment(msgspec.Struct, frozen=True):
    """One sample, `since_s` after the venue began to play; `sent` and `queue` are running totals.

    `working` consumers have a lane; `pending` ones were requested and have not joined. `nodes` have CPUs for consumers.
    """

    since_s: float
    sent: int
    wanted: int
    working: int
    pending: int
    nodes: int
    queue: HistogramSnapshot


class Point(msgspec.Struct, frozen=True):
    """A plotted point: rates and quantiles since the previous moment; None where nothing was applied."""

    since_s: float
    sent_per_s: float
    wanted: int
    working: int
    pending: int
    nodes: int
    queue_p50_ms: float | None
    queue_p99_ms: float | None


class Trace(msgspec.Struct, frozen=True):
    """A whole run: the load rises at `step_s`, falls at `back_s`, and hovers from `hover_s` on."""

    command: str
    objective_ms: float
    step_s: float
    back_s: float
    hover_s: float
    points: list[Point]


def points_of(moments: Sequence[Moment]) -> list[Point]:
    """The points between consecutive moments."""
    return [_point(before, now) for before, now in pairwise(moments) if now.since_s > before.since_s]


def between(points: Sequence[Point], from_s: float, to_s: float) -> list[Point]:
    """The points after `from_s`, up to `to_s`."""
    return [point for point in points if from_s < point.since_s <= to_s]


def recovered_s(points: Sequence[Point], objective_ms: float, step_s: float, until_s: float) -> float | None:
    """Seconds from the step until p99 time in queue is within its objective and stays there for CALM_S.

    0 if it never left the objective, None if it does not recover in time. A point without applied ticks counts as late.
    """
    late_s = step_s
    for point in between(points, step_s, until_s):
        if point.queue_p99_ms is None or point.queue_p99_ms > objective_ms:
            late_s = point.since_s
        elif point.since_s - late_s >= CALM_S:
            return round(late_s - step_s, 1)
    return None


def changes(points: Sequence[Point]) -> int:
    """How often the wanted number of consumers changed."""
    return sum(before.wanted != now.wanted for before, now in pairwise(points))


def consumer_s(points: Sequence[Point]) -> float:
    """The working time of all consumers, summed."""
    return sum(now.working * (now.since_s - before.since_s) for before, now in pairwise(points))


def queue_ms(moments: Sequence[Moment], from_s: float, to_s: float, q: float) -> float | None:
    """The `q` quantile of time in queue over the ticks applied in this period."""
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
