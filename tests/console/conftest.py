"""Fixtures for tests of the console: a desk and a run to display."""

import pytest

from desk.model.lane_row import LaneRow
from desk.report.desk_view import ConsumerView, DeskView, OrdersView
from desk.report.summary import (
    ClassCounts,
    ConsumerSection,
    GapSection,
    LatencySection,
    OrdersSection,
    PnlSection,
    Quantiles,
    RatesSection,
    Summary,
    TicksSection,
)

OPEN_NS = 1_381_152_600 * 1_000_000_000


@pytest.fixture
def busy_desk() -> DeskView:
    """Two shards, the second in trouble, five minutes after the open of 2013-10-07."""
    return DeskView(
        state="running",
        session_ns=OPEN_NS + 300 * 1_000_000_000,
        progress=0.37,
        produced_per_s=183_412.3,
        consumed_per_s=181_200.0,
        lanes=[LaneRow(0, 12, 50_000, 1, 4, 1_234), LaneRow(1, 41_000, 50_000, 4, 4, 1_123_456, {"aged": 120})],
        consumers=[
            ConsumerView(0, 12_345, 312, 90_600.1, 0.62, 1.4, 18.2),
            ConsumerView(1, 12_346, 300, 90_600.1, 0.97, 41.4, 1_812.0, 1),
        ],
        orders=OrdersView(12, 10, 2),
        open_positions=3,
        pnl=-123.45,
        subscribed=612,
        wanted_by_scanners=50,
        notes=["[range] stopped for BAC: it raised ZeroDivisionError"],
    )


@pytest.fixture
def finished_run() -> Summary:
    """A good run of the largest kind of figures."""
    return Summary(
        run_id="opening-range-1",
        plan="opening-range",
        mode="replay",
        in_process=False,
        started_ns=OPEN_NS,
        ended_ns=OPEN_NS + 1,
        wall_s=192.4,
        ticks=TicksSection(
            trades=ClassCounts(received=221_347_000, applied=221_346_990, dropped={"aged": 7}, rejected={"late": 3}),
            quotes=ClassCounts(received=1_000_000_000, applied=900_000_000, conflated=100_000_000),
        ),
        events_per_s=RatesSection(183_000.0, 181_000.0),
        latency_ms=LatencySection(time_in_queue=Quantiles(1.5, 4.0, 9.25, 31.0)),
        gaps=[GapSection(OPEN_NS, OPEN_NS + 1, 3, "reconnect", repaired=False)],
        consumers=[ConsumerSection(0, 4711, "head", 1_121_346_990, 612, 0.42, 1, 95.5, 412.0)],
        bars=1_560,
        decisions=5,
        orders=OrdersSection(4, 3, 0, 0, 1),
        pnl=PnlSection(120.0, 0.0, 2.5),
    ).judged()
