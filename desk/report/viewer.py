"""Makes the live view from the figures of producer, shards and broker."""

import logging
from collections.abc import Mapping, Sequence
from logging import Logger
from typing import Final, Protocol

from desk.consumer.shard_stats import ShardStats
from desk.model.notes import Level, Note
from desk.model.units import MS_NS, SECOND_NS
from desk.orders import OrderSummary
from desk.producer.stats import LoopStats
from desk.report.desk_view import ConsumerView, DeskState, DeskView, OrdersView
from desk.telemetry.histogram import HistogramSnapshot, counted_since

LEVELS: Final[dict[Level, int]] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class DeskViewer:
    """Makes views; rates, busy fractions and latencies are those since the previous view.

    `waits` is the reason why a session does not start at once.
    """

    def __init__(self, session_start_ns: int, waits: str = "") -> None:
        self._start_ns = session_start_ns
        self._waits = waits
        self._now_ns = 0
        self._received = 0
        self._shards: dict[int, ShardStats] = {}

    def view(
        self,
        now_ns: int,
        state: DeskState,
        loop: LoopStats,
        shards: Sequence[ShardStats],
        pids: Mapping[int, int],
        orders: OrderSummary,
    ) -> DeskView:
        """The desk at wall time `now_ns`."""
        received = sum(loop.received.values())
        passed_s = max(now_ns - self._now_ns, 1) / SECOND_NS if self._now_ns else float("inf")
        consumers = [self._consumer(stats, pids.get(stats.shard, 0), passed_s) for stats in shards]
        waiting = bool(self._waits) and state == "running" and loop.session_ns <= self._start_ns
        view = DeskView(
            state="waiting" if waiting else state,
            waits=self._waits if waiting else "",
            session_ns=loop.session_ns if loop.session_ns > self._start_ns else None,
            progress=loop.progress,
            produced_per_s=(received - self._received) / passed_s,
            consumed_per_s=sum(consumer.consumed_per_s for consumer in consumers),
            lanes=loop.lanes,
            consumers=consumers,
            orders=OrdersView(orders.submitted, orders.filled, orders.refused_by_risk),
            open_positions=loop.open_positions,
            pnl=orders.realized + orders.unrealized - orders.fees,
            subscribed=loop.subscribed,
            wanted_by_scanners=loop.wanted_by_scanners,
            alerts=loop.alerts,
            notes=[*(note.text for note in loop.notes), *(note for stats in shards for note in _notes(stats))],
        )
        self._now_ns = now_ns
        self._received = received
        self._shards = {stats.shard: stats for stats in shards}
        return view

    def _consumer(self, stats: ShardStats, pid: int, passed_s: float) -> ConsumerView:
        before = self._shards.get(stats.shard)
        grown = stats.audit.applied - before.audit.applied if before else 0
        busy_ns = stats.busy_ns - before.busy_ns if before else 0
        queue = counted_since(stats.time_in_queue, before.time_in_queue if before else HistogramSnapshot())
        return ConsumerView(
            shard=stats.shard,
            pid=pid,
            symbols=stats.symbols,
            consumed_per_s=grown / passed_s,
            busy=min(busy_ns / SECOND_NS / passed_s, 1.0),
            time_in_queue_p50_ms=_ms(queue.quantile(0.5)),
            time_in_queue_p99_ms=_ms(queue.quantile(0.99)),
            strategies_stopped=len(stats.audit.stopped),
        )


class NoteSource(Protocol):
    """The latest `notes` of a producer, their total number `noted`, and the producer's identity."""

    epoch: int
    notes: list[Note]
    noted: int


class NewNotes:
    """Writes each of the producer's notes to the log once; a restarted producer counts from 0."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._epoch = 0
        self._logged = 0

    def write(self, noted: NoteSource) -> None:
        """Log the notes since the last call that are still kept; notes of an older producer are ignored."""
        if noted.epoch < self._epoch:
            return
        if noted.epoch > self._epoch:
            self._epoch, self._logged = noted.epoch, 0
        new = noted.noted - self._logged
        if new > 0:
            self._logged = noted.noted
            for note in noted.notes[-new:]:
                self._log.log(LEVELS[note.level], "%s", note.text)


def _ms(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / MS_NS


def _notes(stats: ShardStats) -> list[str]:
    """Notes about the latest faults of the shard's strategies, and the latest history that is missing."""
    audit = stats.audit
    notes = []
    if audit.slow:
        fault = audit.slow[-1]
        notes.append(f"strategy {fault.strategy} is slow: {fault.hook} took {fault.what} on {fault.symbol}")
    if audit.stopped:
        fault = audit.stopped[-1]
        notes.append(f"strategy {fault.strategy} was stopped for {fault.symbol}: {fault.what}")
    if audit.without_history:
        symbol, reason = audit.without_history[-1]
        notes.append(f"no history of {symbol}: {reason}")
    return notes
