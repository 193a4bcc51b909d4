"""The end of a run on Ray: makes record, summary and files of the last answers of all actors.

Tests: tests/actors/test_on_ray.py
"""

from collections.abc import Callable, Mapping
from logging import Logger
from typing import Any

from actors.calls.peers import consumer_name
from actors.driver.actor_registry import ActorRegistry
from desk.checkpoint import KeeperStore
from desk.config import Plan
from desk.consumer.shard_stats import ShardStats
from desk.model.errors import RunFailed
from desk.model.records import Decision
from desk.model.session import Session
from desk.orders import OrderSummary
from desk.report.run_record import (
    FeedRecord,
    ProcessUsage,
    RunRecord,
    problems,
    strategy_problems,
    summarize_run,
    warnings,
)
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.wiring.run_end import RunTimes, run_record, write_results


class ReportWriter:
    """Writes the results of a run.

    `stats` has the last answer of each actor by its name. `notices` returns the warnings of every summary, also of a
    run that fails: faults that are over, and settings that the user should change.
    """

    def __init__(self, plan: Plan, session: Session, folder: RunFolder, stats: Mapping[str, Any], log: Logger) -> None:
        self.registry: ActorRegistry | None = None
        self.notices: Callable[[], list[str]] = list
        self._plan = plan
        self._session = session
        self._folder = folder
        self._stats = stats
        self._log = log

    def shard_stats(self) -> list[ShardStats]:
        """The last figures of every shard by number, including shards asleep."""
        return sorted(
            (stats for stats in self._stats.values() if isinstance(stats, ShardStats)), key=lambda stats: stats.shard
        )

    def write(self, feed: FeedRecord, times: RunTimes, found: list[str], decisions: list[Decision]) -> Summary:
        """Write the run's files. `found` are the problems of the desk's parts. Raises RunFailed."""
        return self._write(self._record(feed, times, found), decisions)

    def write_failed(
        self, times: RunTimes, found: list[str], received: dict[str, int], decisions: list[Decision]
    ) -> Summary:
        """Write the partial results after a failure; the first of `found` is the failure."""
        return self._write(self._failed(times, found, received), decisions)

    def write_summary(self, times: RunTimes, found: list[str], received: dict[str, int]) -> None:
        """Write only a summary after a failure."""
        try:
            self._folder.write_summary(summarize_run(self._failed(times, found, received)).builtins())
        except RunFailed as error:
            self._log.error("%s", error)

    def _failed(self, times: RunTimes, found: list[str], received: dict[str, int]) -> RunRecord:
        record = self._record(FeedRecord(received, {}, {}, []), times, found)
        record.failed = True
        return record

    def _write(self, record: RunRecord, decisions: list[Decision]) -> Summary:
        for problem in problems(record):
            self._log.error("%s", problem)
        for warning in warnings(record):
            self._log.warning("%s", warning)
        return write_results(self._folder, record, KeeperStore(self._folder.keeper).bars, decisions)

    def _record(self, feed: FeedRecord, times: RunTimes, found: list[str]) -> RunRecord:
        shards = self.shard_stats()
        usage = {} if self.registry is None else self.registry.usage
        restarts = {} if self.registry is None else self.registry.restarts
        return run_record(
            self._plan,
            self._session,
            self._folder,
            times,
            feed,
            shards,
            [usage[consumer_name(stats.shard)] for stats in shards],
            usage.get("producer", ProcessUsage()),
            self._stats.get("broker") or OrderSummary(),
            [*found, *strategy_problems(shards)],
            self.notices(),
            in_process=False,
            restarts={stats.shard: restarts.get(consumer_name(stats.shard), 0) for stats in shards},
        )
