"""Plots of figures over time, as SVG: panels one below the other, over one axis of seconds.

Tests: tests/benchmarks/test_benchmark_elastic.py, tests/benchmarks/test_benchmark_placement.py
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log10
from typing import Final

from desk.report.markup import Html, tag

WIDTH: Final = 960
LEFT: Final = 64
RIGHT: Final = 16
HEIGHT: Final = 150
TITLE: Final = 30
LEGEND: Final = 18
FOOT: Final = 34
STYLE: Final = """
svg { background: #fff; font: 13px sans-serif; fill: #333 }
path { fill: none; stroke-width: 1.6 }
path.grid { stroke: #ddd; stroke-width: 1 } path.limit { stroke: #c33; stroke-dasharray: 5 4 }
text.limit { fill: #c33 }
@media (prefers-color-scheme: dark) { svg { background: #161b22; fill: #ccc } path.grid { stroke: #333 } }
"""

Point = tuple[float, float | None]
"""Seconds since the start, and the value; None interrupts the line."""


@dataclass(frozen=True)
class Line:
    """One figure over time, in this colour; with `steps` a value holds until the next one."""

    label: str
    colour: str
    points: Sequence[Point]
    steps: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines over one axis from `low` to `high`; `log` makes the axis logarithmic."""

    title: str
    lines: tuple[Line, ...]
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False
    limit: tuple[str, float] | None = None

    def y(self, value: float) -> float:
        """The value's position, in pixels below the panel's top."""
        share = _log_share(value, self.low, self.high) if self.log else (value - self.low) / (self.high - self.low)
        return HEIGHT * (1.0 - min(max(share, 0.0), 1.0))


def svg(panels: Sequence[Panel], end_s: float, tick_s: int) -> str:
    """The panels as SVG text; the axis of seconds goes from 0 to `end_s`, with a tick each `tick_s`."""
    parts, height = [tag("style", Html(STYLE))], 0
    for panel in panels:
        legend = list(_legend(panel))
        height += TITLE + LEGEND * (1 + max(row for _, _, row, _ in legend))
        parts.append(tag("g", *_panel_parts(panel, end_s, legend), transform=f"translate({LEFT} {height})"))
        height += HEIGHT
    height += FOOT
    foot = f"translate({LEFT} {height - FOOT + 16})"
    parts.append(tag("g", *_seconds(end_s, tick_s), transform=foot))
    text = tag("svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", width=WIDTH)
    return f"{text}\n"


def _legend(panel: Panel) -> Iterator[tuple[str, dict[str, str], int, int]]:
    """The labels with their colour, row and position: as many in a row as there is room for."""
    labels = [(line.label, {"fill": line.colour}) for line in panel.lines]
    if panel.limit is not None:
        labels.append((panel.limit[0], {"class_": "limit"}))
    row = at = 0
    for label, colour in labels:
        if at and at + _room(label) > WIDTH - LEFT - RIGHT:
            row, at = row + 1, 0
        yield label, colour, row, at
        at += _room(label)


def _panel_parts(panel: Panel, end_s: float, legend: Sequence[tuple[str, dict[str, str], int, int]]) -> Iterator[Html]:
    """Grid, lines and labels, in the panel's coordinates."""
    rows = 1 + max(row for _, _, row, _ in legend)
    yield tag("text", panel.title, x=0, y=-9 - LEGEND * rows, font_weight="bold")
    for label, colour, row, at in legend:
        yield tag("text", label, x=at, y=-9 - LEGEND * (rows - 1 - row), **colour)
    for value in panel.ticks:
        y = panel.y(value)
        yield tag("path", class_="grid", d=f"M0 {y:.1f}H{WIDTH - LEFT - RIGHT}")
        yield tag("text", f"{value:,g}", x=-8, y=f"{y + 4:.1f}", text_anchor="end")
    for line in panel.lines:
        dashes = {"stroke_dasharray": "3 3"} if line.dashed else {}
        yield tag("path", tag("title", line.label), d=_path(panel, line, end_s), stroke=line.colour, **dashes)
    if panel.limit is not None:
        yield tag("path", class_="limit", d=f"M0 {panel.y(panel.limit[1]):.1f}H{WIDTH - LEFT - RIGHT}")


def _path(panel: Panel, line: Line, end_s: float) -> str:
    """The SVG path through the values, interrupted where a value is None."""
    parts, pen = [], "M"
    for since_s, value in line.points:
        if value is None:
            pen = "M"
            continue
        x, y = _x(since_s, end_s), panel.y(value)
        parts.append(f"H{x:.1f}V{y:.1f}" if line.steps and pen == "L" else f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(parts)


def _room(label: str) -> int:
    return 7 * len(label) + 20


def _seconds(end_s: float, tick_s: int) -> Iterable[Html]:
    for second in range(0, int(end_s) + 1, tick_s):
        yield tag("text", f"{second} s", x=f"{_x(second, end_s):.1f}", y=0, text_anchor="middle")


def _x(since_s: float, end_s: float) -> float:
    return (WIDTH - LEFT - RIGHT) * since_s / end_s


def _log_share(value: float, low: float, high: float) -> float:
    return (log10(max(value, low)) - log10(low)) / (log10(high) - log10(low))
