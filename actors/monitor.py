"""The monitor: polls the actors of a desk, and replaces those that die, hang, or have to leave their node."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import ray

from actors.cluster import Cluster
from actors.crew import Crew
from actors.draining import Draining
from actors.peers import consumer_name, told
from actors.spares import Spares
from actors.watchdog import Watchdog
from desk.model.errors import ActorDied
from desk.pipeline.record import FeedRecord
from desk.pipeline.shard import ShardStats
from desk.time_limit import CLOSE_S, not_closed

PRODUCER: Final = "producer"
CONTROL: Final = ("keeper", "ledger", "broker", "scanner")
LOOK_EVERY_S: Final = 0.1
INSPECT_EVERY_S: Final = 0.5


class Monitor:
    """Start-up, session and closing wait through `turn`, so actors are supervised alike in all of them.

    `stats` holds the last answer of each actor to a poll. `playing` is the producer's call that runs the session.
    `stop_wanted` is polled in each turn. After `limit`, a turn raises RunFailed once the time is up.
    """

    def __init__(
        self,
        crew: Crew,
        cluster: Cluster,
        watchdog: Watchdog,
        spares: Spares | None,
        numbers: Mapping[str, int],
        hang_s: float,
    ) -> None:
        self.stats: dict[str, Any] = {}
        self.playing: Any = None
        self.stopping = False
        self.on_stop: Callable[[], None] = self.stop
        self.stop_wanted: Callable[[], bool] = lambda: False
        self._crew = crew
        self._cluster = cluster
        self._watchdog = watchdog
        self._spares = spares
        self._numbers = numbers
        self._hang_s = hang_s
        self._draining = Draining()
        self._polls: dict[Any, str] = {}
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
        for name in self._crew.here:
            if name not in silent and (name not in CONTROL or self._rounds % 2):
                self._polls[self._crew.handles[name].stats.remote()] = name

    def forget_poll(self, name: str) -> None:
        """Drop the poll that waits for this actor, if any."""
        self._polls = {ref: other for ref, other in self._polls.items() if other != name}

    def play(self) -> None:
        """Let the producer run the session."""
        handle = self._crew.handles[PRODUCER]
        self.playing = handle.play.remote()
        if self.stopping:
            handle.stop.remote()

    def stop(self) -> None:
        """Let the producer drain its lanes and end the session; CLOSE_S begins."""
        self.stopping = True
        self.limit(CLOSE_S)
        if self.playing is not None:
            self._crew.handles[PRODUCER].stop.remote()

    def limit(self, seconds: float) -> None:
        """Let turns raise RunFailed after so long, unless an earlier limit stands."""
        end_s = time.monotonic() + seconds
        self._end_s = end_s if self._end_s is None else min(self._end_s, end_s)

    def relimit(self, seconds: float) -> None:
        """Replace the limit, for the work after a failure."""
        self._end_s = time.monotonic() + seconds

    def turn(self, refs: Sequence[Any] = (), wait_s: float = LOOK_EVERY_S) -> list[Any]:
        """Replace dead actors, take answers in, and wait for any; those of `refs` that are done.

        Raises what the constructor of an actor raised, ActorDied for an actor that is given up, and RunFailed when
        the time is up.
        """
        if not self.stopping and self.stop_wanted():
            self.on_stop()
        self._check_limit()
        self._inspect()
        self._welcome()
        pending = [*refs, *self._polls, *self._crew.calls]
        if not pending:
            time.sleep(wait_s)
            return []
        done, _ = ray.wait(pending, num_returns=1, timeout=wait_s)
        for ref in done:
            if ref in self._polls:
                self._take_answer(ref)
        return [ref for ref in refs if ref in done]

    def play_turn(self, wait_s: float) -> FeedRecord | None:
        """One turn of the session; the producer's record once the session is over."""
        playing = self.playing
        if not self.turn([playing], wait_s):
            return None
        try:
            with told(PRODUCER):
                record: FeedRecord = ray.get(playing)
        except ActorDied as fault:
            if playing is self.playing:  # else its successor plays already
                self.revive(PRODUCER, fault)
            return None
        self.playing = None
        return record

    def ask(self, name: str, method: str) -> Any:
        """Call one actor and wait; its successor, where it dies. Other actors are supervised meanwhile."""
        while True:
            handle = self._crew.handles[name]
            ref = getattr(handle, method).remote()
            self._asked = name
            try:
                while self._crew.handles[name] is handle:
                    if self.turn([ref]):
                        with told(name):
                            return ray.get(ref)
            except ActorDied as fault:
                if fault.place != name or self._crew.handles[name] is not handle:
                    raise
                self.revive(name, fault)
            finally:
                self._asked = ""

    def revive(self, name: str, fault: ActorDied) -> None:
        """Make a successor, without the strategy of which a consumer died, if any. A dead producer's plays on.

        Raises ActorDied when the actor is given up.
        """
        self.forget_poll(name)
        number = self._numbers.get(name)
        if number is not None and self._watchdog.died(number):
            self._crew.pardon(name)
        self._crew.revive(name, fault)
        if name == PRODUCER and self.playing is not None:
            self.play()

    def _check_limit(self) -> None:
        if self._end_s is None or time.monotonic() < self._end_s:
            return
        waits = ", ".join(sorted(set(self._crew.awaited_since_s) | ({self._asked} - {""}))) or PRODUCER
        raise not_closed(f"within {CLOSE_S:g} s: it waited for {waits}")

    def _inspect(self) -> None:
        """Replace actors whose process is gone; now and then look for those that hang or have to leave their node."""
        for name, fault in self._crew.gone():
            self.revive(name, fault)
        now_s = time.monotonic()
        if now_s < self._inspect_due_s:
            return
        self._inspect_due_s = now_s + INSPECT_EVERY_S
        for number, fault in self._watchdog.hanging(self._silent_shards(now_s), now_s):
            self.revive(consumer_name(number), fault)
        nodes = {name: self._crew.usage[name].node for name in self._crew.here if name in self._numbers}
        for name, why in self._draining.leaving(nodes):
            self.revive(name, ActorDied(name, why, "a node that stays", "Nothing: it goes on elsewhere."))

    def _silent_shards(self, now_s: float) -> Collection[int]:
        """The consumers that owe an answer, or have had a process for long and have not answered yet."""
        since_s = self._crew.awaited_since_s
        starting = [
            name for name, since in since_s.items() if now_s - since > self._hang_s and self._cluster.placed(name)
        ]
        silent = {*self._polls.values(), *starting, self._asked}
        return [number for name, number in self._numbers.items() if name in silent]

    def _welcome(self) -> None:
        """Take in actors that answered first, each in place of a spare; one that died before gets a successor."""
        try:
            arrived = self._crew.welcome()
        except ActorDied as fault:
            if fault.place not in self._crew.handles:
                raise
            self.revive(fault.place, fault)
            return
        if arrived and self.playing is not None and self._spares is not None:
            self._spares.add(arrived)

    def _take_answer(self, ref: Any) -> None:
        name = self._polls.pop(ref)
        try:
            with told(name):
                answer = ray.get(ref)
        except ActorDied as fault:
            self.revive(name, fault)
            return
        before = self.stats.get(name)
        if isinstance(answer, ShardStats) and isinstance(before, ShardStats) and answer.mark_ns > before.mark_ns:
            self._crew.pardon(name)
        self.stats[name] = answer
