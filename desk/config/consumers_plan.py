"""The tradeplan's [consumers], [flow] and [guards]: processes, the queues to them, and their limits.

Tests: tests/desk/config/test_plan.py
"""

from collections.abc import Iterator

from pydantic import Field

from desk.config.plan_table import PlanFault, PlanTable

MAX_CONSUMERS = 1024


class ConsumersPlan(PlanTable):
    """[consumers]: number of shards; each runs in its own process."""

    count: int = Field(
        default=0,
        ge=0,
        le=MAX_CONSUMERS,
        description="consumer processes; 0 = follows the load, starting from the number of free cores",
    )
    min: int = Field(default=1, ge=1, le=MAX_CONSUMERS, description="fewest consumers when the count is chosen")
    max: int = Field(default=8, ge=1, le=MAX_CONSUMERS, description="most consumers, chosen or fixed")
    cpus: float = Field(default=1.0, gt=0, le=256, description="Ray CPUs that each consumer requires")
    target_busy: float = Field(
        default=0.6,
        gt=0,
        le=0.95,
        description="target of scaling: the fraction of time that a consumer is busy",
    )
    time_in_queue_ms: float = Field(
        default=50,
        gt=0,
        le=3_600_000,
        description="the 99th percentile of time in queue above which consumers are added, in ms",
    )
    up_delay_s: float = Field(
        default=2.0,
        ge=0,
        le=3600,
        description="least time that more consumers are needed before they are added, in s",
    )
    down_delay_s: float = Field(
        default=60.0,
        ge=1,
        le=86_400,
        description="least time that fewer consumers are enough before any is removed, in s",
    )
    rebalance: bool = Field(
        default=True,
        description="whether symbols move from busy consumers to idle ones; no effect where the feed waits",
    )

    def conflicts(self) -> Iterator[PlanFault]:
        if self.min > self.max:
            yield PlanFault(
                ("min",),
                f"`{self.min}`, which is above max = {self.max}",
                f"a whole number ≤ {self.max}",
                "Lower `min` or raise `max`.",
            )
        if self.count > self.max:
            yield PlanFault(
                ("count",),
                f"`{self.count}`, which is above max = {self.max}",
                f"a whole number ≤ {self.max}",
                "Lower `count` or raise `max`.",
            )


class FlowPlan(PlanTable):
    """[flow]: the lanes, which are the queues from the producer to its consumers."""

    capacity: int = Field(default=50_000, ge=1, le=10_000_000, description="most ticks that a lane may hold")
    window: int = Field(default=4, ge=1, le=1024, description="most batches sent and not yet acknowledged, per lane")
    linger_ms: float = Field(
        default=1.0, ge=0, le=1000, description="least time between two batches while the window is open, in ms"
    )
    write_timeout_ms: float = Field(
        default=1000,
        gt=0,
        le=3_600_000,
        description="time that a trade may wait in a lane before it is dropped, in ms; no effect where the feed waits",
    )
    lag_threshold: int = Field(
        default_factory=lambda data: data["capacity"] // 2,
        ge=0,
        description="ticks in a lane above which the desk warns; left out: half of `capacity`",
    )
    checkpoint_s: float = Field(default=1.0, gt=0, le=3600, description="time between two checkpoints of a shard, in s")
    retain_mb: float = Field(
        default=64.0,
        gt=0,
        le=65536,
        description="most memory for a shard's sent batches that no checkpoint covers yet, in MiB",
    )

    def conflicts(self) -> Iterator[PlanFault]:
        if self.lag_threshold > self.capacity:
            yield PlanFault(
                ("lag_threshold",),
                f"`{self.lag_threshold}`, which is above capacity = {self.capacity}",
                f"a whole number ≤ {self.capacity}",
                "A lane never holds more than `capacity`: lower `lag_threshold` or leave it out.",
            )


class GuardsPlan(PlanTable):
    """[guards]: limits on the age of data, and on time and memory of strategies."""

    feed_timeout_s: float = Field(
        default=5.0,
        ge=0.5,
        le=3600,
        description="time without data and without an answer to a ping after which a live feed is down, in s; the desk "
        "pings after a third of this time, or of `max_data_latency_s` if that is shorter",
    )
    max_data_latency_s: float = Field(
        default=10.0,
        gt=0,
        le=86_400,
        description="age of the data above which entries are refused, in s; exits stay allowed",
    )
    max_clock_skew_ms: float = Field(
        default=1000.0,
        gt=0,
        le=86_400_000,
        description="offset between the clocks of venue and machine above which the desk reports an error, in ms",
    )
    strategy_budget_ms: float = Field(
        default=50, gt=0, le=60_000, description="time of one call of a strategy above which the desk reports it, in ms"
    )
    hang_s: float = Field(
        default=5.0,
        ge=0.1,
        le=3600,
        description="time after which a call of a strategy or scanner counts as hung, in s; the strategy is stopped "
        "for its symbol, the scanner as a whole",
    )
    memory_mb: float = Field(
        default=4096,
        ge=64,
        le=16_777_216,
        description="memory that a consumer or the scanners may use beyond their memory at the start, in MiB; a "
        "strategy that exceeds it is stopped for its symbol",
    )
    state_mb: float = Field(
        default=16.0,
        gt=0,
        le=1024,
        description="state of a strategy on one symbol, in MiB; a strategy with more is stopped for its symbol",
    )
