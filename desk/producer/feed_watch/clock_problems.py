"""Warnings and problems of a run about clocks: session time that jumped, clocks that were set or did not answer.

Tests: tests/desk/feeds/live/test_feed_reports.py
"""

from desk.model.feed_health import FeedHealth
from desk.telemetry import formatting


def clock_warnings(place: str, health: FeedHealth) -> list[str]:
    """Faults of clocks that healed."""
    lines = []
    if health.clock_steps:
        lines.append(f"{place}: this machine's clock was set {_times(health.clock_steps)}; session time followed")
    if health.jumps:
        lines.append(f"{place}: session time jumped {_times(health.jumps)}; the time between is a gap")
    silences = health.clock_silences - bool(health.clock_why)
    if silences:
        lines.append(f"{place}: the venue's clock gave no usable answer for a long time, {_times(silences)}")
    return lines


def clock_problems(place: str, health: FeedHealth) -> list[str]:
    """Faults of clocks that lasted to the end of the run."""
    if not health.clock_why:
        return []
    return [f"{place}: the venue's clock gave no usable answer when the run ended: {health.clock_why}. Check it."]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{formatting.count(count)} times"
