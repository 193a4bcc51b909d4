"""The scaler: sees to it that as many consumers work as the load asks for.

Tests: tests/actors/test_elastic_on_ray.py
"""

from collections.abc import Callable, Sequence
from logging import Logger

from actors.calls.handles import call
from actors.calls.peers import consumer_name
from actors.driver.actor_registry import ActorRegistry
from actors.producer import Producer
from desk.config import Plan
from desk.consumer.shard import ShardStats
from desk.model.units import MS_NS
from desk.producer.stats import LoopStats
from desk.scaling import PolicyState, ScalingPolicy, choose_changes, decide
from desk.scaling.readings import ScalingReadings


class Scaler:
    """Lives with the supervisor, and knows which shards there are.

    `joined` are those that have a lane or are about to get one; `leaving` those of them that shall not own anything
    any more; `asleep` those that worked and are not needed. A shard that sleeps has its state with the keeper, and is
    made again from there. With `policy` None their number is fixed: who comes late joins, nobody leaves.
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
        """The shards that have a process, or are to get one."""
        return [number for number in self._numbers if consumer_name(number) in self._registry.handles]

    def begin(self, first: Sequence[int]) -> None:
        """The session begins with these."""
        self.joined = set(first)
        self.wanted = len(self.awake)

    def look(self, loop: LoopStats, shards: Sequence[ShardStats], sleep: Callable[[int], None]) -> None:
        """Take the newest figures in, and do what they call for. `sleep` is called for a shard whose lane is closed."""
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
        awaited = [number for number in self.awake if number not in working]
        reading = self._readings.take(loop, shards, working, len(awaited))
        if reading is not None:
            self.wanted, self._state = decide(self._policy, self._state, reading)
            self._staff(sorted(working), awaited)

    def _connect(self, lanes: set[int]) -> None:
        """Have lanes opened to who is here, and closed to who shall leave; said again until it is so."""
        producer = self._registry.handles["producer"]
        here = set(self._registry.answered)
        for number in self.awake:
            if number in self.leaving:
                call(producer, Producer.dismiss, number)
            elif number not in lanes and consumer_name(number) in here:
                self.joined.add(number)
                self.asleep.discard(number)
                call(producer, Producer.enlist, number)

    def _staff(self, working: Sequence[int], awaited: Sequence[int]) -> None:
        """Hire, recall, give up and send away until as many as wanted stay or are awaited."""
        nodes = {number: self._registry.usage[consumer_name(number)].node for number in working}
        change = choose_changes(self.wanted, nodes, awaited, self.leaving, self._home)
        for number in change.start:
            self._log.info("%s is hired: %d are wanted", consumer_name(number), self.wanted)
            self._registry.create(consumer_name(number))
        for number in change.keep:
            self._log.info("%s stays: %d are wanted", consumer_name(number), self.wanted)
            self.leaving.discard(number)
            call(self._registry.handles["producer"], Producer.enlist, number)
        for number in change.cancel:
            if number not in self.joined:
                self._log.info("%s is not waited for any more: %d are wanted", consumer_name(number), self.wanted)
                self._registry.dismiss(consumer_name(number))
        for number in change.stop:
            self._log.info("%s is to leave: %d are wanted", consumer_name(number), self.wanted)
            self.leaving.add(number)

    def _end(self, number: int) -> None:
        self.joined.discard(number)
        self.leaving.discard(number)
        self.asleep.add(number)
        self._registry.dismiss(consumer_name(number))
        self._log.info("%s sleeps: its state is with the keeper", consumer_name(number))


def scaling_policy(plan: Plan, most: int | None) -> ScalingPolicy:
    """What the plan says about the number of consumers; `most` of them have room, None where nodes are added."""
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
