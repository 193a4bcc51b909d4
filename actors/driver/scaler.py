"""The scaler: adjusts the number of consumers to the load.

Tests: tests/actors/test_elastic_on_ray.py
"""

from collections.abc import Callable, Mapping, Sequence
from logging import Logger

from actors.calls.handles import call
from actors.calls.peers import consumer_name
from actors.driver.actor_registry import ActorRegistry
from actors.producer import Producer
from desk.config import Plan
from desk.consumer.shard_stats import ShardStats
from desk.model.log_line import Field, fields
from desk.model.units import MS_NS
from desk.producer.stats import LoopStats
from desk.scaling import PolicyState, ScalingPolicy, choose_changes, decide
from desk.scaling.readings import ScalingReadings


class Scaler:
    """Starts and stops consumers.

    `joined` are the shards with a lane, open or about to open; `leaving` those of them whose slots move away; `asleep`
    those stopped by a scale-down. The keeper has the state of a shard asleep; it is restored at the next start. With
    `policy` None the number is fixed: a consumer that starts late joins, and none leaves.
    """

    def __init__(
        self, registry: ActorRegistry, numbers: range, policy: ScalingPolicy | None, home: str, log: Logger
    ) -> None:
        self.joined: set[int] = set()
        self.leaving: set[int] = set()
        self.asleep: set[int] = set()
        self.wanted = 0
        self._registry = registry
        self._numbers = numbers
        self._policy = policy
        self._state = PolicyState()
        self._readings = ScalingReadings()
        self._home = home
        self._log = log

    @property
    def awake(self) -> list[int]:
        """The shards that have a process, or are starting."""
        return [number for number in self._numbers if consumer_name(number) in self._registry.handles]

    def begin(self, first: Sequence[int]) -> None:
        """Begin the session with these shards."""
        self.joined = set(first)
        self.wanted = len(self.awake)

    def look(self, loop: LoopStats, shards: Sequence[ShardStats], sleep: Callable[[int], None]) -> None:
        """Take the newest figures, and start or stop consumers. `sleep` is called for a shard whose lane is closed."""
        lanes = {lane.shard for lane in loop.lanes}
        if not lanes:  # the producer has just begun
            return
        for number in sorted(self.leaving & self.joined - lanes):
            sleep(number)
            self._end(number)
        self._connect(lanes)
        if self._policy is None:
            return
        working = lanes & self.joined
        pending = [number for number in self.awake if number not in working]
        reading = self._readings.take(loop, shards, working, len(pending))
        if reading is not None:
            self.wanted, self._state = decide(self._policy, self._state, reading)
            self._staff(sorted(working), pending)

    def _connect(self, lanes: set[int]) -> None:
        """Request lanes to running consumers, and the closing of lanes to leaving ones; repeat until done."""
        producer = self._registry.handles["producer"]
        here = set(self._registry.answered)
        for number in self.awake:
            if number in self.leaving:
                call(producer, Producer.dismiss, number)
            elif number not in lanes and consumer_name(number) in here:
                self.joined.add(number)
                self.asleep.discard(number)
                call(producer, Producer.enlist, number)

    def _staff(self, working: Sequence[int], pending: Sequence[int]) -> None:
        """Start, keep, cancel and stop consumers until the wanted number runs or is pending."""
        nodes = {number: self._registry.usage[consumer_name(number)].node for number in working}
        change = choose_changes(self.wanted, nodes, pending, self.leaving, self._home)
        for number in change.start:
            self._note(number, "%s is started: %d are wanted")
            self._registry.create(consumer_name(number))
        for number in change.keep:
            self._note(number, "%s is kept: %d are wanted")
            self.leaving.discard(number)
            call(self._registry.handles["producer"], Producer.enlist, number)
        for number in change.cancel:
            if number not in self.joined:
                self._note(number, "%s is canceled before it started: %d are wanted")
                self._registry.dismiss(consumer_name(number))
        for number in change.stop:
            self._note(number, "%s is to stop: %d are wanted")
            self.leaving.add(number)

    def _end(self, number: int) -> None:
        self.joined.discard(number)
        self.leaving.discard(number)
        self.asleep.add(number)
        self._registry.dismiss(consumer_name(number))
        self._log.info("%s is stopped: the keeper has its state", consumer_name(number), extra=_about(number))

    def _note(self, number: int, text: str) -> None:
        """Log a change; `text` has places for the consumer and the wanted number."""
        self._log.info(text, consumer_name(number), self.wanted, extra=_about(number))


def scaling_policy(plan: Plan, most: int | None) -> ScalingPolicy:
    """Return the plan's policy for the number of consumers. `most` have room; None if nodes can be added."""
    consumers = plan.consumers
    limit = consumers.max if most is None else min(consumers.max, max(most, consumers.min))
    return ScalingPolicy(
        consumers.min,
        limit,
        round(consumers.time_in_queue_ms * MS_NS),
        consumers.target_busy,
        consumers.up_delay_s,
        consumers.down_delay_s,
    )


def _about(number: int) -> dict[str, Mapping[str, Field]]:
    return fields(actor=consumer_name(number), shard=number)
