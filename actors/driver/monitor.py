"""The monitor: polls the actors of a desk, and restarts those that die, hang, or have to leave their node.

Tests: tests/actors/test_deaths.py
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

import ray
from ray import ObjectRef

from actors.calls.handles import call
from actors.calls.interfaces import SupervisedActor
from actors.calls.peers import translate_ray_errors
from actors.driver.actor_registry import ActorRegistry
from actors.driver.poll_answers import PollAnswers
from actors.driver.watchdog import SCANNER, Watchdog
from actors.metrics.actor_meters import ActorReport
from actors.producer import Producer
from actors.ray_cluster.cluster import Cluster
from actors.ray_cluster.draining import DrainingNodes
from actors.ray_cluster.spare_processes import SparePool
from desk.consumer.shard_stats import ShardStats
from desk.model.errors import ActorDied
from desk.process.time_limit import CLOSE_S, not_closed
from desk.report.run_record import FeedRecord

PRODUCER: Final = "producer"
HISTORY: Final = "history"
CONTROL: Final = ("keeper", "ledger", "broker", SCANNER, HISTORY)
"""The actors beside consumers and producer; the history only where the plan needs it."""
LOOK_EVERY_S: Final = 0.1
INSPECT_EVERY_S: Final = 0.5
A = TypeVar("A")
R = TypeVar("R")


class Monitor:
    """Polls and restarts actors during start-up, session and closing: all of them wait through `turn`.

    `stats` holds the last answer of each actor to a poll. `playing` is the producer's call that runs the session.
    `stop_wanted` is polled in each turn. After `limit`, a turn raises RunFailed once the time is up.
    """

    def __init__(
        self,
        registry: ActorRegistry,
        cluster: Cluster,
        watchdog: Watchdog,
        spares: SparePool | None,
        numbers: Mapping[str, int],
        hang_s: float,
        answers: PollAnswers,
    ) -> None:
        self.answers = answers
        self.playing: ObjectRef[FeedRecord] | None = None
        self.stopping = False
        self.on_stop: Callable[[], None] = self.stop
        self.stop_wanted: Callable[[], bool] = lambda: False
        self._registry = registry
        self._cluster = cluster
        self._watchdog = watchdog
        self._spares = spares
        self._numbers = numbers
        self._hang_s = hang_s
        self._draining = DrainingNodes(cluster.draining)
        self._polls: dict[ObjectRef[ActorReport], str] = {}
        self._rounds = 0
        self._asked = ""
        self._inspect_due_s = 0.0
        self._end_s: float | None = None

    @property
    def polling(self) -> bool:
        """Whether a poll waits for answers."""
        return bool(self._polls)

    def poll(self) -> None:
        """Poll the actors that answered the previous poll; control actors every second time."""
        self._rounds += 1
        silent = set(self._polls.values())
        for name in self._registry.answered:
            if name not in silent and (name not in CONTROL or self._rounds % 2):
                self._polls[call(self._registry.handles[name], SupervisedActor.report)] = name

    def forget_poll(self, name: str) -> None:
        """Drop the poll that waits for this actor, if any."""
        self._polls = {ref: other for ref, other in self._polls.items() if other != name}

    def play(self) -> None:
        """Start the session in the producer."""
        handle = self._registry.handles[PRODUCER]
        self.playing = call(handle, Producer.play)
        if self.stopping:
            call(handle, Producer.stop)

    def stop(self) -> None:
        """Let the producer drain its lanes and end the session; start the CLOSE_S limit."""
        self.stopping = True
        self.limit(CLOSE_S)
        if self.playing is not None:
            call(self._registry.handles[PRODUCER], Producer.stop)

    def limit(self, seconds: float) -> None:
        """Let turns raise RunFailed after this time, unless an earlier limit is set."""
        end_s = time.monotonic() + seconds
        self._end_s = end_s if self._end_s is None else min(self._end_s, end_s)

    def leave_ray(self) -> None:
        """Ignore deaths of Ray's processes from now on: Ray is no longer needed."""
        self._cluster.loss.leave()

    def relimit(self, seconds: float) -> None:
        """Replace the limit, for the work after a failure."""
        self._end_s = time.monotonic() + seconds

    def turn(self, refs: Sequence[ObjectRef[Any]] = (), wait_s: float = LOOK_EVERY_S) -> list[ObjectRef[Any]]:
        """Restart dead actors and take answers; return those of `refs` that are done, after a wait for any.

        Raises the error of an actor's constructor, ActorDied for an actor that is not restarted, and RunFailed when the
        time is up.
        """
        self._cluster.loss.require_alive()
        if not self.stopping and self.stop_wanted():
            self.on_stop()
        self._check_limit()
        self._inspect()
        self._welcome()
        pending = [*refs, *self._polls, *self._registry.calls]
        if not pending:
            time.sleep(wait_s)
            return []
        done, _ = ray.wait(pending, num_returns=1, timeout=wait_s)
        for ref in done:
            if ref in self._polls:
                self._take_answer(ref)
        return [ref for ref in refs if ref in done]

    def play_turn(self, wait_s: float) -> FeedRecord | None:
        """Take one turn of the session; return the producer's record once the session is over."""
        playing = self.playing
        if playing is None or not self.turn([playing], wait_s):
            return None
        try:
            with translate_ray_errors(PRODUCER):
                record = ray.get(playing)
        except ActorDied as fault:
            if playing is self.playing:  # else its successor already runs the session
                self.restart(PRODUCER, fault)
            return None
        self.playing = None
        return record

    def ask(self, name: str, method: Callable[[A], R]) -> R:
        """Call one actor and wait; repeat the call to a successor. Other actors are supervised meanwhile."""
        while True:
            handle = self._registry.handles[name]
            ref = call(handle, method)
            self._asked = name
            try:
                while self._registry.handles[name] is handle:
                    if self.turn([ref]):
                        with translate_ray_errors(name):
                            return ray.get(ref)
            except ActorDied as fault:
                if fault.place != name or self._registry.handles[name] is not handle:
                    raise
                self.restart(name, fault)
            finally:
                self._asked = ""

    def restart(self, name: str, fault: ActorDied) -> None:
        """Start a successor, without the strategy or scanner that caused the death, if known.

        A producer's successor continues the session. Raises ActorDied when the actor is not restarted.
        """
        self.forget_poll(name)
        if self._watchdog.died(name):
            self._registry.forget_quick_deaths(name)
        self._registry.restart(name, fault)
        if name == PRODUCER and self.playing is not None:
            self.play()

    def _check_limit(self) -> None:
        if self._end_s is None or time.monotonic() < self._end_s:
            return
        waits = ", ".join(sorted(set(self._registry.awaited_since_s) | ({self._asked} - {""}))) or PRODUCER
        raise not_closed(f"within {CLOSE_S:g} s: it waited for {waits}")

    def _inspect(self) -> None:
        """Restart actors whose process has died; at intervals check for hanging actors and draining nodes."""
        for name, fault in self._registry.dead_actors():
            self.restart(name, fault)
        now_s = time.monotonic()
        if now_s < self._inspect_due_s:
            return
        self._inspect_due_s = now_s + INSPECT_EVERY_S
        for name, fault in self._watchdog.hanging(self._silent_actors(now_s), now_s):
            self.restart(name, fault)
        nodes = {name: self._registry.usage[name].node for name in self._registry.answered if name in self._numbers}
        for name, why in self._draining.leaving(nodes):
            self.restart(name, ActorDied(name, why, "a node that stays", "None: it restarts on another node."))

    def _silent_actors(self, now_s: float) -> Collection[str]:
        """The actors that owe an answer to a poll, or have a process for long without a first answer."""
        since_s = self._registry.awaited_since_s
        starting = [
            name for name, since in since_s.items() if now_s - since > self._hang_s and self._cluster.placed(name)
        ]
        return {*self._polls.values(), *starting, self._asked}

    def _welcome(self) -> None:
        """Take first answers, and start a spare process for each; restart actors that died before answering."""
        try:
            arrived = self._registry.accept_answers()
        except ActorDied as fault:
            if fault.place not in self._registry.handles:
                raise
            self.restart(fault.place, fault)
            return
        if arrived and self.playing is not None and self._spares is not None:
            self._spares.add(arrived)

    def _take_answer(self, ref: ObjectRef[ActorReport]) -> None:
        name = self._polls.pop(ref)
        try:
            with translate_ray_errors(name):
                report = ray.get(ref)
        except ActorDied as fault:
            self.restart(name, fault)
            return
        answer = report.stats
        before = self.answers.stats.get(name)
        if isinstance(answer, ShardStats) and isinstance(before, ShardStats) and answer.mark_ns > before.mark_ns:
            self._registry.forget_quick_deaths(name)
        self.answers.take(name, answer, report.readings, report.spans)
