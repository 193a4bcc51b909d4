"""Plot an elastic run: load, consumers and nodes, and time in queue, over time.

python -m benchmarks.elastic_plot TRACE.json PICTURE.svg
"""

import argparse
from collections.abc import Callable
from math import ceil, floor, log10
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.elastic_trace import Point, Trace
from benchmarks.plot import Line, Panel, svg

TICK_S: Final = 20
BLUE: Final = "#27c"
ORANGE: Final = "#d60"
GREEN: Final = "#283"


def plot(trace: Trace) -> str:
    """Return the plot as SVG text."""
    return svg(_panels(trace), trace.points[-1].since_s, TICK_S)


def _panels(trace: Trace) -> tuple[Panel, ...]:
    def line(
        label: str, colour: str, value: Callable[[Point], float | None], *, steps: bool = False, dashed: bool = False
    ) -> Line:
        return Line(label, colour, [(point.since_s, value(point)) for point in trace.points], steps, dashed)

    load = max(point.sent_per_s for point in trace.points)
    most = max(max(point.wanted, point.working, point.nodes) for point in trace.points)
    times_ms = [value for point in trace.points for value in (point.queue_p50_ms, point.queue_p99_ms) if value]
    decades = range(floor(log10(min(times_ms))), ceil(log10(max(times_ms))) + 1)
    step = 10.0 ** floor(log10(load)) / 2
    return (
        Panel(
            "trades sent per second",
            (line("sent", BLUE, lambda point: point.sent_per_s),),
            0.0,
            load * 1.05,
            tuple(step * number for number in range(int(load / step) + 1)),
        ),
        Panel(
            "consumers and nodes",
            (
                line("nodes of the cluster", GREEN, lambda point: point.nodes, steps=True),
                line("consumers wanted", ORANGE, lambda point: point.wanted, steps=True, dashed=True),
                line("consumers working", ORANGE, lambda point: point.working, steps=True),
            ),
            0.0,
            most + 0.3,
            tuple(float(number) for number in range(most + 1)),
        ),
        Panel(
            "time in queue, ms",
            (
                line("p50", BLUE, lambda point: point.queue_p50_ms),
                line("p99", ORANGE, lambda point: point.queue_p99_ms),
            ),
            10.0 ** decades[0],
            10.0 ** decades[-1],
            tuple(10.0**exponent for exponent in decades),
            log=True,
            limit=(f"objective of p99: {trace.objective_ms:g} ms", trace.objective_ms),
        ),
    )


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
