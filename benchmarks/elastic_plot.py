"""Plot an elastic run: load, consumers and nodes, and time in queue, over time.

python -m benchmarks.elastic_plot TRACE.json PICTURE.svg
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.elastic_trace import Point, Trace
from desk.report.markup import Html, tag

WIDTH: Final = 960
LEFT: Final = 64
RIGHT: Final = 16
HEIGHT: Final = 150
TITLE: Final = 30
FOOT: Final = 34
TICK_S: Final = 20
STYLE: Final = """
svg { background: #fff; font: 13px sans-serif; fill: #333 }
path { fill: none; stroke-width: 1.6 }
path.grid { stroke: #ddd; stroke-width: 1 } path.limit { stroke: #c33; stroke-dasharray: 5 4 }
path.load, path.p50 { stroke: #27c } path.working, path.p99 { stroke: #d60 } path.nodes { stroke: #283 }
path.wanted { stroke: #d60; stroke-dasharray: 3 3 }
text.load, text.p50 { fill: #27c } text.working, text.wanted, text.p99 { fill: #d60 } text.nodes { fill: #283 }
text.limit { fill: #c33 }
@media (prefers-color-scheme: dark) { svg { background: #161b22; fill: #ccc } path.grid { stroke: #333 } }
"""


@dataclass(frozen=True)
class Line:
    """One figure over time. `name` is its class in STYLE; with `steps` a value holds until the next one."""

    name: str
    label: str
    value: Callable[[Point], float | None]
    steps: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines over one axis from `low` to `high`; `log` makes the axis logarithmic."""

    title: str
    lines: tuple[Line, ...]
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False
    limit: float | None = None

    def y(self, value: float) -> float:
        """The value's position, in pixels below the panel's top."""
        share = _log_share(value, self.low, self.high) if self.log else (value - self.low) / (self.high - self.low)
        return HEIGHT * (1.0 - min(max(share, 0.0), 1.0))


def plot(trace: Trace) -> str:
    """Return the plot as SVG text."""
    end_s = trace.points[-1].since_s
    panels = _panels(trace)
    height = len(panels) * (TITLE + HEIGHT) + FOOT
    parts = [tag("style", Html(STYLE))]
    for number, panel in enumerate(panels):
        top = number * (TITLE + HEIGHT) + TITLE
        parts.append(tag("g", *_panel_parts(panel, trace.points, end_s), transform=f"translate({LEFT} {top})"))
    foot = f"translate({LEFT} {height - FOOT + 16})"
    parts.append(tag("g", *_seconds(end_s), transform=foot))
    svg = tag("svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", width=WIDTH)
    return f"{svg}\n"


def _panels(trace: Trace) -> tuple[Panel, ...]:
    load = max(point.sent_per_s for point in trace.points)
    most = max(max(point.wanted, point.working, point.nodes) for point in trace.points)
    times_ms = [value for point in trace.points for value in (point.queue_p50_ms, point.queue_p99_ms) if value]
    decades = range(floor(log10(min(times_ms))), ceil(log10(max(times_ms))) + 1)
    step = 10.0 ** floor(log10(load)) / 2
    return (
        Panel(
            "trades sent per second",
            (Line("load", "sent", lambda point: point.sent_per_s),),
            0.0,
            load * 1.05,
            tuple(step * number for number in range(int(load / step) + 1)),
        ),
        Panel(
            "consumers and nodes",
            (
                Line("nodes", "nodes of the cluster", lambda point: point.nodes, steps=True),
                Line("wanted", "consumers wanted", lambda point: point.wanted, steps=True),
                Line("working", "consumers working", lambda point: point.working, steps=True),
            ),
            0.0,
            most + 0.3,
            tuple(float(number) for number in range(most + 1)),
        ),
        Panel(
            "time in queue, ms",
            (
                Line("p50", "p50", lambda point: point.queue_p50_ms),
                Line("p99", "p99", lambda point: point.queue_p99_ms),
            ),
            10.0 ** decades[0],
            10.0 ** decades[-1],
            tuple(10.0**exponent for exponent in decades),
            log=True,
            limit=trace.objective_ms,
        ),
    )


def _panel_parts(panel: Panel, points: Sequence[Point], end_s: float) -> Iterator[Html]:
    """Grid, lines and labels, in the panel's coordinates."""
    yield tag("text", panel.title, x=0, y=-9, font_weight="bold")
    for value in panel.ticks:
        y = panel.y(value)
        yield tag("path", class_="grid", d=f"M0 {y:.1f}H{WIDTH - LEFT - RIGHT}")
        yield tag("text", f"{value:,g}", x=-8, y=f"{y + 4:.1f}", text_anchor="end")
    names = [(line.name, line.label) for line in panel.lines]
    if panel.limit is not None:
        yield tag("path", class_="limit", d=f"M0 {panel.y(panel.limit):.1f}H{WIDTH - LEFT - RIGHT}")
        names.append(("limit", f"objective of p99: {panel.limit:g} ms"))
    for line in panel.lines:
        yield tag("path", class_=line.name, d=_path(panel, line, points, end_s))
    at = WIDTH - LEFT - RIGHT
    for name, label in reversed(names):
        yield tag("text", label, class_=name, x=at, y=-9, text_anchor="end")
        at -= 8 * len(label) + 12


def _path(panel: Panel, line: Line, points: Sequence[Point], end_s: float) -> str:
    """The SVG path through the values, interrupted where a value is None."""
    parts, pen = [], "M"
    for point in points:
        value = line.value(point)
        if value is None:
            pen = "M"
            continue
        x, y = _x(point.since_s, end_s), panel.y(value)
        parts.append(f"H{x:.1f}V{y:.1f}" if line.steps and pen == "L" else f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(parts)


def _seconds(end_s: float) -> Iterable[Html]:
    for second in range(0, int(end_s) + 1, TICK_S):
        yield tag("text", f"{second} s", x=f"{_x(second, end_s):.1f}", y=0, text_anchor="middle")


def _x(since_s: float, end_s: float) -> float:
    return (WIDTH - LEFT - RIGHT) * since_s / end_s


def _log_share(value: float, low: float, high: float) -> float:
    return (log10(max(value, low)) - log10(low)) / (log10(high) - log10(low))


def main() -> None:
    """Plot a trace file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    trace = msgspec.json.decode(options.trace.read_bytes(), type=Trace)
    options.picture.write_text(plot(trace), encoding="utf-8")


if __name__ == "__main__":
    main()
