"""Inline SVG: colours come from the page's classes, so that both light and dark themes work.

Tests: tests/desk/report/test_report_page.py
"""

from collections.abc import Mapping
from typing import Final

from desk.model.units import MINUTE_NS
from desk.report.markup import Html, tag
from desk.telemetry import formatting

WIDTH: Final = 960
_BAR_HEIGHT: Final = 18
_PLOT_HEIGHT: Final = 120
_MAX_COLUMNS: Final = 480
_HOUR_MINUTES: Final = 60


def share_bar(label: str, parts: Mapping[str, int]) -> Html:
    """One horizontal bar of all `parts` (class → ticks), each as wide as its share."""
    total = sum(parts.values()) or 1
    x = 0.0
    rects = []
    for name, ticks in parts.items():
        width = WIDTH * ticks / total
        title = tag("title", f"{name}: {formatting.count(ticks)} ({100 * ticks / total:.2f}%)")
        if ticks:
            rects.append(tag("rect", title, class_=name, x=f"{x:.1f}", y=0, width=f"{width:.1f}", height=_BAR_HEIGHT))
        x += width
    return _picture(label, _BAR_HEIGHT, *rects)


def activity(label: str, trades_by_minute: Mapping[int, int]) -> Html:
    """Trades over the session, one column per minute (or per few minutes of a long one)."""
    first, last = min(trades_by_minute), max(trades_by_minute)
    minutes = (last - first) // MINUTE_NS + 1
    step = -(-minutes // _MAX_COLUMNS)
    columns = [0] * -(-minutes // step)
    for minute_ns, trades in trades_by_minute.items():
        columns[(minute_ns - first) // MINUTE_NS // step] += trades
    width = WIDTH / len(columns)
    peak = max(*columns, 1)
    rects = [
        _column(i * width, width, _PLOT_HEIGHT * trades / peak, _tooltip(first + i * step * MINUTE_NS, trades))
        for i, trades in enumerate(columns)
        if trades
    ]
    labels = _hours(first, minutes)
    return _picture(label, _PLOT_HEIGHT + 20, *rects, *labels)


def _tooltip(minute_ns: int, trades: int) -> str:
    return f"{formatting.exchange_time(minute_ns, with_date=False)}: {formatting.some(trades, 'trade')}"


def _column(x: float, width: float, height: float, tooltip: str) -> Html:
    return tag(
        "rect",
        tag("title", tooltip),
        class_="applied",
        x=f"{x:.2f}",
        y=f"{_PLOT_HEIGHT - height:.2f}",
        width=f"{max(width - 0.4, 0.4):.2f}",
        height=f"{height:.2f}",
    )


def _hours(first_ns: int, minutes: int) -> list[Html]:
    """A label at every full hour, at most about a dozen, kept off the edges."""
    every = max(1, minutes // (12 * _HOUR_MINUTES)) * _HOUR_MINUTES
    if minutes < 2 * _HOUR_MINUTES:
        every = 15
    labels = []
    for minute in range(-(first_ns // MINUTE_NS) % every, minutes, every):
        at_ns = first_ns + minute * MINUTE_NS
        x = WIDTH * minute / minutes
        if 20 < x < WIDTH - 20:
            text = formatting.exchange_time(at_ns, with_date=False)[:5]
            labels.append(tag("text", text, x=f"{x:.1f}", y=_PLOT_HEIGHT + 16, text_anchor="middle"))
    return labels


def _picture(label: str, height: int, *children: Html) -> Html:
    return tag("svg", *children, role="img", aria_label=label, viewBox=f"0 0 {WIDTH} {height}", width="100%")
