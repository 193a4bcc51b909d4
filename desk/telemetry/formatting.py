"""Figures for people: counts, rates, latencies, money and times as short text."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from desk.model.units import SECOND_NS

EXCHANGE_ZONE: Final = ZoneInfo("America/New_York")
NOTHING: Final = "-"


def count(number: int) -> str:
    """A whole number with thousands separators: 1,221,347."""
    return f"{number:,}"


def short_count(number: float) -> str:
    """At most five characters: 812, 8.1k, 120k, 1.2M."""
    for limit, divisor, unit in ((1_000, 1, ""), (1_000_000, 1_000, "k"), (1_000_000_000, 1_000_000, "M")):
        if number < limit * 0.9995:
            scaled = number / divisor
            return f"{scaled:.1f}{unit}" if unit and scaled < 99.95 else f"{scaled:.0f}{unit}"
    return f"{number / 1e9:.1f}G"


def rate(per_s: float) -> str:
    """Ticks per second."""
    return f"{short_count(per_s)}/s"


def milliseconds(value_ms: float | None) -> str:
    """A latency with three significant digits, in the unit that suits it: 840 µs, 12.3 ms, 4.20 s."""
    if value_ms is None:
        return NOTHING
    if value_ms < 1:
        return f"{value_ms * 1_000:.0f} µs"
    scaled, unit = (value_ms, "ms") if value_ms < 999.5 else (value_ms / 1_000, "s")
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{digits}f} {unit}"


def signed_milliseconds(value_ms: float) -> str:
    """An offset with its sign: -3.10 s, 12.0 ms, 0."""
    return f"{'-' if value_ms < 0 else ''}{milliseconds(abs(value_ms))}" if value_ms else "0"


def duration(seconds: float) -> str:
    """A duration: 0.84 s, 42.0 s, 3 min 12 s, 6 h 30 min."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    return f"{minutes // 60} h {minutes % 60} min"


def percent(fraction: float) -> str:
    """A fraction as a whole percentage."""
    return f"{100 * fraction:.0f}%"


def money(amount: float) -> str:
    """Account currency with its sign where it is not zero: +12.50, -3.00, 0.00."""
    return f"{amount:+,.2f}" if round(amount, 2) else "0.00"


def exchange_time(time_ns: int | None, *, with_date: bool = True) -> str:
    """A moment in the exchange's own time, to the second: 2013-10-07 09:30:00."""
    if time_ns is None:
        return NOTHING
    moment = datetime.fromtimestamp(time_ns // SECOND_NS, EXCHANGE_ZONE)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if with_date else f"{moment:%H:%M:%S}"


def utc_time(time_ns: int) -> str:
    """A moment in UTC, to the second: 2013-10-07 13:30:00 UTC."""
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, UTC):%Y-%m-%d %H:%M:%S} UTC"


def names(found: Collection[str], most: int = 10) -> str:
    """The first `most` of these in order, with an ellipsis if there are more: A, B, …."""
    return ", ".join(sorted(found)[:most]) + (", …" if len(found) > most else "")


def some(number: int, noun: str) -> str:
    """A number with its noun: no gaps, 1 gap, 2 gaps."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s" if number else f"no {noun}s"
