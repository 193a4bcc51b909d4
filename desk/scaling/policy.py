"""The scaling policy: the number of consumers from their busy fractions and waits, one reading at a time."""

import math
from typing import Final, Self

import msgspec

from desk.model.units import SECOND_NS
from desk.scaling.demand import demand, demand_ratio, recovers_in_time, wait_growth
from desk.scaling.policy_state import ConsumerNeed, ConsumerPeak, PolicyState, QueueWait, ScaleUpAttempt
from desk.scaling.slot_assignment import GRAIN

CLEARLY: Final = 0.8
"""The ratio of a clear decrease: below 0.9 / 1.1, so that noise of ±10 % around a constant is no change."""

LONGER: Final = 4.0
"""The factor by which the delay before the next attempt grows when the last one did not help."""


class ScalingPolicy(msgspec.Struct, frozen=True):
    """The bounds of the number of consumers, their objectives, and the delays of changes.

    `time_in_queue_ns` is the objective for its 99th percentile. The number rises when the need lasts `up_delay_s`, and
    falls when fewer would have sufficed for all of `down_delay_s`: a minute by default, because market load repeats by
    the minute. For `settle_s` after the working shards change, waits and backlogs still come from before. If one more
    consumer did not reduce the time in queue, the next attempt is delayed by `retry_s`, then by LONGER times that, and
    so on. If saturated shards miss the objective by an unknown amount, their number grows by the factor `growth`.
    """

    least: int
    most: int
    time_in_queue_ns: int
    target_busy: float = 0.6
    up_delay_s: float = 2.0
    down_delay_s: float = 60.0
    settle_s: float = 5.0
    retry_s: float = 300.0
    growth: float = 2.0


class ScalingReading(msgspec.Struct, frozen=True):
    """The figures of the consumers since the previous reading.

    `now_ns` never decreases. `busy` is the busy fraction of each working shard, including those about to leave;
    `time_in_queue_ns` the 99th percentile of the worst shard, None without ticks; `dropped` counts ticks dropped or
    conflated by overload; `pending` the requested consumers that have not joined yet. `lopsided`: slots are moving, or
    one shard is far above the others, so more shards would not help yet.
    """

    now_ns: int
    busy: dict[int, float]
    time_in_queue_ns: int | None
    dropped: int
    pending: int
    lopsided: bool = False


class Assessment(msgspec.Struct, frozen=True):
    """The assessment of one reading by the previous one.

    `demand` is the offered work, in shards, and `needed` the number of shards that should share it. `missed`: the time
    in queue is above its objective, or ticks were dropped. `wants_one_more`: one more consumer might help.
    """

    demand: float
    needed: int
    missed: bool
    wants_one_more: bool

    @classmethod
    def of(cls, policy: ScalingPolicy, state: PolicyState, reading: ScalingReading) -> Self:
        """Assess a reading.

        The hidden demand of saturated shards counts only if no shard has room for it and no consumer is pending: else
        it is the backlog of a shard that is already being relieved, or of one symbol, which more shards cannot help.
        """
        busy, objective_ns = reading.busy.values(), policy.time_in_queue_ns
        wait_ns, dropped = reading.time_in_queue_ns or 0, reading.dropped > 0
        missed = dropped or wait_ns > objective_ns
        settled = reading.now_ns >= state.settled_ns
        helped = reading.lopsided or not settled
        room = min(busy) <= policy.target_busy
        rising = wait_growth(state.wait_ns, reading.time_in_queue_ns, objective_ns, reading.now_ns - state.seen_ns)
        ratio = demand_ratio(rising)
        if room or helped:
            ratio = min(ratio, 1.0)
        elif missed and (dropped or rising >= 0):
            ratio = max(ratio, policy.growth * policy.target_busy)
        asked = demand(busy, ratio)
        return cls(
            demand=asked,
            needed=consumers(asked, policy.target_busy) if settled or not room else 0,
            missed=missed,
            wants_one_more=missed
            and not helped
            and len(busy) >= state.desired
            and (dropped or not recovers_in_time(wait_ns, rising, objective_ns, policy.settle_s)),
        )


def decide(policy: ScalingPolicy, state: PolicyState, reading: ScalingReading) -> tuple[int, PolicyState]:
    """The desired number of consumers after this reading, and the state for the next.

    Without a state the working and pending consumers are desired. A reading without a working shard changes nothing.
    """
    state = _begun(policy, state, reading)
    if not reading.busy:
        return state.desired, state
    assessment = Assessment.of(policy, state, reading)
    state = _remembered(policy, state, reading, assessment)
    number, attempt = _for_load(policy, state), None
    if number == state.desired < policy.most:
        attempt = _attempt(policy, state, assessment)
        number += attempt is not None
    if number == state.desired and not assessment.missed:
        number = _fewer(policy, state)
    if number == state.desired:
        return number, state
    return number, msgspec.structs.replace(
        state, desired=number, since_ns=reading.now_ns, need=None, wait=None, attempt=attempt or state.attempt
    )


def consumers(demand: float, busy: float) -> int:
    """The least number of consumers whose busy fraction stays within `busy` if they share the demand evenly."""
    return math.ceil(demand / busy - GRAIN)


def _begun(policy: ScalingPolicy, state: PolicyState, reading: ScalingReading) -> PolicyState:
    """The state with the working and pending consumers."""
    now_ns, working = reading.now_ns, len(reading.busy)
    if not state.desired:
        state = PolicyState(working + reading.pending, since_ns=now_ns, missed_ns=now_ns)
    settled_ns = state.settled_ns if working == state.working else now_ns + _ns(policy.settle_s)
    desired = min(max(state.desired, policy.least), policy.most)
    return msgspec.structs.replace(state, desired=desired, working=working, settled_ns=settled_ns)


def _remembered(
    policy: ScalingPolicy, state: PolicyState, reading: ScalingReading, assessment: Assessment
) -> PolicyState:
    """The state after this reading."""
    missed_ns = reading.now_ns if assessment.missed else state.missed_ns
    attempt = state.attempt
    if attempt is not None and reading.now_ns - missed_ns >= _ns(policy.down_delay_s):
        attempt = msgspec.structs.replace(attempt, pause_s=policy.retry_s)
    return msgspec.structs.replace(
        state,
        seen_ns=reading.now_ns,
        wait_ns=reading.time_in_queue_ns,
        missed=assessment.missed,
        missed_ns=missed_ns,
        need=_need(state, reading, assessment),
        wait=_wait(state, reading, assessment),
        attempt=attempt,
        peaks=_peaks(policy, state, reading, assessment),
    )


def _need(state: PolicyState, reading: ScalingReading, assessment: Assessment) -> ConsumerNeed | None:
    """The run of needs with this reading; None if it ends."""
    if assessment.needed <= state.desired:
        return None
    if state.need is None:
        return ConsumerNeed(reading.now_ns, assessment.needed)
    return ConsumerNeed(state.need.since_ns, max(state.need.number, assessment.needed))


def _wait(state: PolicyState, reading: ScalingReading, assessment: Assessment) -> QueueWait | None:
    """The run of waits with this reading; None if it ends."""
    if not assessment.wants_one_more:
        return None
    wait_ns = reading.time_in_queue_ns or 0
    before = state.wait or QueueWait(reading.now_ns, wait_ns, wait_ns)
    return QueueWait(before.since_ns, min(before.least_ns, wait_ns), max(before.most_ns, wait_ns))


def _peaks(
    policy: ScalingPolicy, state: PolicyState, reading: ScalingReading, assessment: Assessment
) -> tuple[ConsumerPeak, ...]:
    """The peaks of the last `down_delay_s`, with this reading's.

    Consumers that miss the objective, by a drop or twice in a row, are all needed; so are they for a demand like that
    with which fewer missed it before. While a shard is down, nothing is known.
    """
    number = consumers(assessment.demand, CLEARLY * policy.target_busy)
    away = len(reading.busy) + reading.pending < state.desired
    if away or reading.dropped or (assessment.missed and state.missed):
        number = max(number, state.desired)
    if state.attempt is not None and assessment.demand > CLEARLY * state.attempt.demand:
        number = max(number, state.attempt.number + 1)
    oldest_ns = reading.now_ns - _ns(policy.down_delay_s)
    higher = (peak for peak in state.peaks if peak.at_ns >= oldest_ns and peak.number > number)
    return *higher, ConsumerPeak(reading.now_ns, number)


def _for_load(policy: ScalingPolicy, state: PolicyState) -> int:
    """The number of consumers that a lasting load needs; unchanged without one."""
    if state.need is None or state.seen_ns - state.need.since_ns < _ns(policy.up_delay_s):
        return state.desired
    return min(state.need.number, policy.most)


def _attempt(policy: ScalingPolicy, state: PolicyState, assessment: Assessment) -> ScaleUpAttempt | None:
    """One more consumer for a lasting wait, unless the last attempt has just failed to help."""
    wait, last, pause_s = state.wait, state.attempt, policy.retry_s
    if wait is None or state.seen_ns - wait.since_ns < _ns(policy.up_delay_s):
        return None
    if last is not None and wait.most_ns >= CLEARLY * last.wait_ns:
        if state.seen_ns - last.at_ns < _ns(last.pause_s):
            return None
        pause_s = LONGER * last.pause_s
    return ScaleUpAttempt(state.seen_ns, state.desired, assessment.demand, wait.least_ns, pause_s)


def _fewer(policy: ScalingPolicy, state: PolicyState) -> int:
    """The largest peak, if it is below the desired number and the whole delay has been observed."""
    if state.seen_ns - state.since_ns < _ns(policy.down_delay_s):
        return state.desired
    return max(min(state.peaks[0].number, state.desired), policy.least)


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)
