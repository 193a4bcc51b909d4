"""A model of a desk that keeps up, second by second and without queues, so that hours take no time."""

import math
from collections.abc import Callable
from random import Random

from curves import Load

from desk.model.units import SECOND_NS
from desk.scaling import PolicyState, ScalingPolicy, ScalingReading, decide

Waits = Callable[[float], float]
"""Time in queue in seconds by busy fraction."""


def answers(
    policy: ScalingPolicy,
    load: Load,
    until_s: int,
    *,
    waits: Waits = lambda busy: 0.002,
    working: int = 1,
    overhead: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
) -> list[int]:
    """The number that the policy requests, once a second. A requested consumer starts a second later.

    Every shard is busy with its share of the load and with `overhead` of its own. Busy fraction and time in queue
    vary by `noise`, as often by all of it as by less.
    """
    chance = Random(seed)

    def about(value: float) -> float:
        return value * chance.choice((1 - noise, 1 + noise, chance.uniform(1 - noise, 1 + noise)))

    asked, state = [], PolicyState()
    for second in range(until_s):
        even = about(load(second)) / working + overhead
        busy = {shard: min(even, 1.0) for shard in range(working)}
        wait_s = about(waits(even)) if even < 1 else math.inf
        reading = ScalingReading(
            now_ns=second * SECOND_NS,
            busy=busy,
            time_in_queue_ns=round(min(wait_s, 1.0) * SECOND_NS),
            dropped=round(1000 * max(even - 1, 0)),
            pending=0,
        )
        working, state = decide(policy, state, reading)
        asked.append(working)
    return asked
