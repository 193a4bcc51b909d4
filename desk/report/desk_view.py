"""The live view: a running desk at one moment.

Tests: tests/desk/report/test_viewer.py
"""

from typing import Literal

import msgspec

from desk.model.lane_row import LaneRow

DeskState = Literal["starting", "waiting", "running", "draining", "closed"]


class ConsumerView(msgspec.Struct):
    """One shard's process; `busy` is the fraction of time that it worked since the previous view.

    The quantiles of time in queue are None if no tick was applied.
    """

    shard: int
    pid: int
    symbols: int = 0
    consumed_per_s: float = 0.0
    busy: float = 0.0
    time_in_queue_p50_ms: float | None = None
    time_in_queue_p99_ms: float | None = None
    strategies_stopped: int = 0


class OrdersView(msgspec.Struct):
    """Orders since the run began."""

    submitted: int = 0
    filled: int = 0
    refused: int = 0


class DeskView(msgspec.Struct, kw_only=True):
    """The desk at one moment; `notes` holds the latest problems and warnings, newest last, `alerts` the current faults.

    `session_ns` is None before the first mark; `waits` is the reason why the first mark of a `waiting` desk is not yet
    due. `progress` (0..1) is None if the end is unknown; `pnl` is realized and unrealized less fees, in account
    currency.
    """

    state: DeskState = "starting"
    waits: str = ""
    session_ns: int | None = None
    progress: float | None = None
    produced_per_s: float = 0.0
    consumed_per_s: float = 0.0
    lanes: list[LaneRow] = []
    consumers: list[ConsumerView] = []
    orders: OrdersView = msgspec.field(default_factory=OrdersView)
    open_positions: int = 0
    pnl: float = 0.0
    subscribed: int = 0
    wanted_by_scanners: int = 0
    notes: list[str] = []
    alerts: list[str] = []

    @property
    def worst_time_in_queue_ms(self) -> float | None:
        """The greatest p99 among the consumers."""
        return max((c.time_in_queue_p99_ms for c in self.consumers if c.time_in_queue_p99_ms is not None), default=None)

    @property
    def conflated(self) -> int:
        return sum(lane.conflated for lane in self.lanes)

    @property
    def dropped(self) -> int:
        return sum(lane.dropped for lane in self.lanes)
