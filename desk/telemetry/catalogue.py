"""The metric catalogue: every number that the desk exports, with its unit and meaning.

Names and units follow OpenTelemetry's conventions: dots between words, base units, and `{thing}` for counts. Exporters
put `[telemetry] metric_prefix` before each name (docs/decisions/0026).

Tests: tests/desk/telemetry/test_metric_catalogue.py
"""

from dataclasses import dataclass
from typing import Final, Literal

MetricKind = Literal["counter", "gauge", "histogram"]

FAST_S: Final = tuple(2.0**power for power in (-17, -14, -12, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 2))
"""Bounds in seconds for work inside one process: 7.6 µs to 4 s.

Powers of two are bounds of exponential buckets at any scale, so a classic histogram loses nothing at its bounds.
"""
AGE_S: Final = tuple(2.0**power for power in (-10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 5, 7, 9))
"""Bounds in seconds for ages of data and orders: 0.98 ms to 512 s."""


@dataclass(frozen=True)
class Metric:
    """One metric. `bounds` (s) are the buckets of a classic Prometheus histogram; `short` is its usual acronym."""

    name: str
    unit: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    short: str = ""


def _counter(name: str, unit: str, meaning: str, *labels: str, short: str = "") -> Metric:
    return Metric(name, unit, "counter", meaning, labels, (), short)


def _gauge(name: str, unit: str, meaning: str, *labels: str, short: str = "") -> Metric:
    return Metric(name, unit, "gauge", meaning, labels, (), short)


def _durations(name: str, bounds: tuple[float, ...], meaning: str, *labels: str, short: str = "") -> Metric:
    return Metric(name, "s", "histogram", meaning, labels, bounds, short)


METRICS: Final = (
    # The producer.
    _counter("events.produced", "{event}", "Ticks received from the feed.", "class", short="PE"),
    _counter("events.rejected", "{event}", "Ticks rejected by the feed or by a shard, by cause.", "class", "cause"),
    _counter("events.skipped", "{event}", "Ticks received that nothing wanted: no symbol's shard gets them.", "class"),
    _counter("events.conflated", "{event}", "Quotes replaced in a lane by a newer quote of their symbol.", "shard"),
    _counter(
        "events.dropped",
        "{event}",
        "Ticks dropped, by cause: in a lane, or `unprotected` with a shard that died.",
        "shard",
        "cause",
    ),
    _gauge("lane.depth", "{event}", "Ticks that wait in a lane.", "shard"),
    _gauge("lane.use", "1", "Ticks that wait in a lane, as a fraction of its capacity.", "shard"),
    _gauge("lane.age", "s", "How long the oldest tick has waited in a lane.", "shard"),
    _gauge("lane.in_flight", "{batch}", "Batches sent to a shard and not acknowledged.", "shard"),
    _gauge("symbols.subscribed", "{symbol}", "Symbols subscribed at the feed."),
    _gauge("feed.connected", "{connection}", "1 while the feed is connected and its data are fresh, else 0."),
    _counter("feed.reconnects", "{connection}", "Connections made again after a loss."),
    _counter("feed.gaps", "{gap}", "Intervals in which ticks are missing."),
    _gauge("feed.lag", "s", "Age of the feed's last data, without the feed's delay by design."),
    _gauge(
        "clock.skew",
        "s",
        "Receive time less venue time of the fastest recent ticks, less the feed's delay.",
    ),
    _gauge("session.time", "s", "Session time reached, in seconds since 1970-01-01 UTC."),
    _counter("slots.moves", "{move}", "Slots moved to another shard."),
    _durations("slots.pause", AGE_S, "How long a slot's ticks waited for a move."),
    # The shards.
    _counter("events.consumed", "{event}", "Ticks applied by a shard.", "class", short="CE"),
    _counter("events.backfilled", "{event}", "Trades from the venue's history that filled gaps, of those consumed."),
    _counter("events.repeated", "{event}", "Ticks replayed after they had been applied; they change nothing."),
    _gauge(
        "bars.agreement",
        "1",
        "Fraction of a shard's compared minutes that are equal to the venue's own bars in every field.",
    ),
    _counter(
        "bars.compared",
        "{minute}",
        "Minutes compared with the venue's own bars: `equal` in every field, or `different`.",
        "outcome",
    ),
    _counter("bars.differing", "{minute}", "Compared minutes that differ in a field.", "field"),
    _counter("batches.applied", "{batch}", "Batches applied by a shard."),
    _counter("shard.busy", "s", "Time in which a shard applied batches."),
    _gauge("shard.symbols", "{symbol}", "Symbols watched by a shard."),
    _durations("data.latency", AGE_S, "From the venue's time of a tick to its take-up by a shard.", short="DL"),
    _durations("queue.time", AGE_S, "From a tick's receipt to its take-up by a shard.", short="TQ"),
    _durations("queue.lane.time", AGE_S, "The part of the time in queue that is spent in the lane."),
    _durations("queue.link.time", AGE_S, "The part of the time in queue that is spent between producer and shard."),
    _durations("batch.age", AGE_S, "How old a batch's oldest tick was at the end of a hop.", "hop"),
    _counter("hop.time", "s", "Time of batches by hop, and by what it was spent on.", "hop", "part"),
    _counter("hop.slowest.time", "s", "The same of the slowest hundredth of the batches of each hop.", "hop", "part"),
    _durations("strategy.duration", FAST_S, "Time of one call of a strategy.", "strategy", "hook"),
    _counter("strategy.slow", "{call}", "Calls that took longer than strategy_budget_ms."),
    _counter("strategy.stopped", "{instance}", "Strategies stopped for a symbol."),
    _counter("strategy.intents", "{intent}", "Orders that strategies wanted."),
    _gauge(
        "consumers.variation",
        "1",
        "Standard deviation of the consumers' rates, as a fraction of their mean.",
    ),
    # Broker, ledger, keeper, scanners, history.
    _counter("orders.submitted", "{order}", "Orders sent to the venue."),
    _counter("orders.filled", "{order}", "Orders filled."),
    _counter("orders.refused", "{order}", "Orders refused by the risk gate, by rule.", "rule"),
    _durations(
        "orders.latency",
        AGE_S,
        "Time of orders: from decided to sent, from sent to acknowledged and to filled.",
        "step",
    ),
    _gauge("pnl", "{currency}", "Realized and unrealized profit less fees, in account currency."),
    _gauge("exposure", "{currency}", "Gross notional of positions and open orders, in account currency."),
    _durations("ledger.commit", FAST_S, "Time of one commit of the ledger."),
    _counter("checkpoints.saved", "{checkpoint}", "Checkpoints saved by the keeper."),
    _counter("checkpoints.size", "By", "Bytes of checkpoints saved by the keeper."),
    _counter("scans", "{scan}", "Runs of scanners."),
    _counter("history.questions", "{question}", "Questions about the market's past that were answered."),
    # Every process.
    _counter("process.cpu.time", "s", "CPU time of the process.", "mode"),
    _gauge("process.memory.usage", "By", "Resident memory of the process."),
    _counter("process.paging.faults", "{fault}", "Page faults that needed the disk."),
    _counter("wait.time", "s", "Time in which the process's working thread waited, by kind.", "kind", "taken"),
    _durations("wait.duration", FAST_S, "One wait of the working thread, by kind.", "kind", "taken"),
    _durations("gc.pause", FAST_S, "One run of Python's garbage collector.", "generation"),
    _durations("loop.lag", FAST_S, "How late the working thread is after a wait whose time is up."),
    _durations("log.write", FAST_S, "Time of one write to a log's file."),
    _counter("log.dropped", "{line}", "Log lines dropped, by cause.", "cause"),
    _counter("trace.spans", "{span}", "Spans, by what became of them.", "outcome"),
    _counter("export.failures", "{export}", "Exports that a receiver refused or did not answer.", "signal"),
    _gauge("desk.problems", "{problem}", "Problems known so far, by level.", "level"),
)
"""All metrics, in the order of docs/reference/metrics.md."""

BY_NAME: Final = {metric.name: metric for metric in METRICS}

RESTORED: Final = frozenset(
    {
        "events.produced",
        "events.rejected",
        "events.skipped",
        "events.conflated",
        "events.dropped",
        "events.backfilled",
        "events.consumed",
        "events.repeated",
        "bars.compared",
        "bars.differing",
        "batches.applied",
        "shard.busy",
        "feed.reconnects",
        "feed.gaps",
        "data.latency",
        "queue.time",
        "queue.lane.time",
        "queue.link.time",
        "strategy.slow",
        "strategy.stopped",
        "strategy.intents",
        "orders.submitted",
        "orders.filled",
        "orders.refused",
    }
)
"""Totals that a restarted process restores from a checkpoint or the ledger. All others begin again with the process."""
