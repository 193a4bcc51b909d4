"""The scaling policy: from how busy the consumers are to how many there should be, one reading at a time."""

import math
from typing import Final, Self

import msgspec

from desk.model.units import SECOND_NS
from desk.scaling.board import GRAIN
from desk.scaling.demand import SATURATED, asked_over_done, demand, heals, rise

CLEARLY: Final = 0.8
"""What is clearly less: below 0.9 / 1.1, so that noise of ±10 % around a constant is never taken for a change."""

LONGER: Final = 4.0
"""How much longer the next attempt is waited for when the last one was in vain."""


class Policy(msgspec.Struct, frozen=True):
    """How many consumers there may be, what they shall keep, and how soon their number changes.

    `time_in_queue_ns` is the objective for the 99th percentile. More are asked for when the need lasts `up_delay_s`;
    fewer when fewer would have done for all of `down_delay_s`: a minute by default, as market load repeats by the
    minute. For `settle_s` after the working consumers change, waits and backlogs are those of two tables and tell
    nothing. An attempt to mend time in queue alone that is in vain is the last for `retry_s`, the next one for LONGER
    times that, and so on. Shards that are saturated, nothing telling by how much, grow in number by `growth`.
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


class Reading(msgspec.Struct, frozen=True):
    """What the consumers did since the reading before.

    `now_ns` never goes back. `busy` is the busy fraction of each shard that works, those about to leave included;
    `time_in_queue_ns` the 99th percentile of the worst shard's, None without ticks; `dropped` counts ticks dropped or
    conflated by overload; `pending` consumers asked for that are not there yet. `lopsided` says that slots are under
    way, or one shard is far above the others: more shards would not help yet.
    """

    now_ns: int
    busy: dict[int, float]
    time_in_queue_ns: int | None
    dropped: int
    pending: int
    lopsided: bool = False


class Wait(msgspec.Struct, frozen=True):
    """Consecutive readings whose time in queue calls for one more: since when; its least and its most."""

    since_ns: int
    least_ns: int
    most_ns: int


class Attempt(msgspec.Struct, frozen=True):
    """The last step for the sake of time in queue alone.

    When it was; how many consumers, with which demand, had been too few; the least wait that led to it; how long the
    next one has to wait if this one was in vain.
    """

    at_ns: int
    number: int
    demand: float
    wait_ns: int
    pause_s: float


class Peak(msgspec.Struct, frozen=True):
    """How many consumers clearly suffice for what one reading saw."""

    at_ns: int
    number: int


class PolicyState(msgspec.Struct, frozen=True):
    """What the policy remembers between readings; a fresh one to begin with.

    `desired` is the last answer, given since `since_ns`. Of the last reading: `seen_ns`, `working`, `wait_ns` and
    whether the objective was missed (`pressed`). `settled_ns` is when figures tell something again, `calm_ns` when
    the objective was last missed. `need` and `wait` are what lasts. `peaks` are those since `since_ns` that no later
    one reaches, so the first is the largest.
    """

    desired: int = 0
    since_ns: int = 0
    seen_ns: int = 0
    working: int = 0
    wait_ns: int | None = None
    pressed: bool = False
    settled_ns: int = 0
    calm_ns: int = 0
    short_ns: int | None = None
    wait: Wait | None = None
    attempt: Attempt | None = None
    peaks: tuple[Peak, ...] = ()


class Sight(msgspec.Struct, frozen=True):
    """One reading in the light of the one before.

    `demand` is the work asked for, in shards. `pressed`: the objective is missed. `calls`: one more might mend that.
    """

    demand: float
    needed: int
    pressed: bool
    calls: bool

    @classmethod
    def of(cls, policy: Policy, state: PolicyState, reading: Reading) -> Self:
        """What the reading says."""
        busy, wait_ns = reading.busy.values(), reading.time_in_queue_ns or 0
        mean = math.fsum(busy) / len(busy)
        settled = reading.now_ns >= state.settled_ns
        pressed = reading.dropped > 0 or wait_ns > policy.time_in_queue_ns
        passed_ns = reading.now_ns - state.seen_ns
        rising = rise(state.wait_ns, reading.time_in_queue_ns, policy.time_in_queue_ns, passed_ns)
        ratio = asked_over_done(rising)
        if not settled or reading.lopsided or mean <= policy.target_busy:
            ratio = min(ratio, 1.0)
        elif pressed and (rising >= 0 or reading.dropped):
            ratio = max(ratio, policy.growth * policy.target_busy)
        asked = demand(busy, ratio)
        needed = consumers(asked, policy.target_busy) if settled or mean >= SATURATED else 0
        healing = not reading.dropped and heals(wait_ns, rising, policy.time_in_queue_ns, policy.settle_s)
        calls = pressed and settled and not reading.lopsided and not healing and len(busy) >= state.desired
        return cls(asked, needed, pressed, calls)


def decide(policy: Policy, state: PolicyState, reading: Reading) -> tuple[int, PolicyState]:
    """The number of consumers there should be after this reading, and the state for the next.

    A reading without a working shard says nothing, and leaves the number as it is.
    """
    state = _begun(policy, state, reading)
    if not reading.busy:
        return state.desired, state
    sight = Sight.of(policy, state, reading)
    state = _remembered(policy, state, reading, sight)
    number = _loaded(policy, state, reading, sight)
    attempt = None
    if number == state.desired < policy.most:
        attempt = _attempt(policy, state, reading, sight)
        number += attempt is not None
    if number == state.desired and not sight.pressed:
        number = _fewer(policy, state, reading)
    if number != state.desired:
        state = _stepped(state, reading, number, attempt)
    return number, state


def _begun(policy: Policy, state: PolicyState, reading: Reading) -> PolicyState:
    """The state with what is there: at first everything that works or was asked for is desired."""
    now_ns, working = reading.now_ns, len(reading.busy)
    if not state.desired:
        state = PolicyState(working + reading.pending, since_ns=now_ns, calm_ns=now_ns)
    settled_ns = state.settled_ns if working == state.working else now_ns + _ns(policy.settle_s)
    desired = min(max(state.desired, policy.least), policy.most)
    return msgspec.structs.replace(state, desired=desired, working=working, settled_ns=settled_ns)


def _remembered(policy: Policy, state: PolicyState, reading: Reading, sight: Sight) -> PolicyState:
    """The state with what this reading adds to what lasts."""
    now_ns, wait_ns = reading.now_ns, reading.time_in_queue_ns
    short_ns, wait, attempt = None, None, state.attempt
    if sight.needed > state.desired:
        short_ns = now_ns if state.short_ns is None else state.short_ns
    if sight.calls:
        found_ns = wait_ns or 0
        so_far = state.wait or Wait(now_ns, found_ns, found_ns)
        wait = Wait(so_far.since_ns, min(so_far.least_ns, found_ns), max(so_far.most_ns, found_ns))
    calm_ns = now_ns if sight.pressed else state.calm_ns
    if attempt is not None and now_ns - calm_ns >= _ns(policy.down_delay_s):
        attempt = msgspec.structs.replace(attempt, pause_s=policy.retry_s)
    return msgspec.structs.replace(
        state,
        seen_ns=now_ns,
        wait_ns=wait_ns,
        pressed=sight.pressed,
        calm_ns=calm_ns,
        short_ns=short_ns,
        wait=wait,
        attempt=attempt,
        peaks=_peaks(policy, state, reading, sight),
    )


def _peaks(policy: Policy, state: PolicyState, reading: Reading, sight: Sight) -> tuple[Peak, ...]:
    """The peaks of the last `down_delay_s` that no later one reaches.

    What missed the objective, twice in a row or by a drop, could not do with fewer; neither could what is about the
    load with which fewer missed it before. While somebody is missing, nothing is known.
    """
    number = consumers(sight.demand, CLEARLY * policy.target_busy)
    missing = len(reading.busy) + reading.pending < state.desired
    if missing or reading.dropped or (sight.pressed and state.pressed):
        number = max(number, state.desired)
    if state.attempt is not None and sight.demand > CLEARLY * state.attempt.demand:
        number = max(number, state.attempt.number + 1)
    oldest_ns = reading.now_ns - _ns(policy.down_delay_s)
    above = (peak for peak in state.peaks if peak.at_ns >= oldest_ns and peak.number > number)
    return *above, Peak(reading.now_ns, number)


def _loaded(policy: Policy, state: PolicyState, reading: Reading, sight: Sight) -> int:
    """The number that a lasting load needs; as it is where there is none."""
    if state.short_ns is None or reading.now_ns - state.short_ns < _ns(policy.up_delay_s):
        return state.desired
    return min(sight.needed, policy.most)


def _attempt(policy: Policy, state: PolicyState, reading: Reading, sight: Sight) -> Attempt | None:
    """One more for the sake of a lasting wait, unless the last time was in vain and not long ago."""
    wait, last, pause_s = state.wait, state.attempt, policy.retry_s
    if wait is None or reading.now_ns - wait.since_ns < _ns(policy.up_delay_s):
        return None
    if last is not None and wait.most_ns >= CLEARLY * last.wait_ns:
        if reading.now_ns - last.at_ns < _ns(last.pause_s):
            return None
        pause_s = LONGER * last.pause_s
    return Attempt(reading.now_ns, state.desired, sight.demand, wait.least_ns, pause_s)


def _fewer(policy: Policy, state: PolicyState, reading: Reading) -> int:
    """The most that any reading of the whole delay needed, where that is fewer."""
    if reading.now_ns - state.since_ns < _ns(policy.down_delay_s):
        return state.desired
    return max(min(state.peaks[0].number, state.desired), policy.least)


def _stepped(state: PolicyState, reading: Reading, number: int, attempt: Attempt | None) -> PolicyState:
    """The state after a step: what lasts, and what suffices, is found out anew."""
    return msgspec.structs.replace(
        state,
        desired=number,
        since_ns=reading.now_ns,
        short_ns=None,
        wait=None,
        attempt=attempt or state.attempt,
        peaks=(),
    )


def consumers(demand: float, busy: float) -> int:
    """How many it takes for none to be above this busy fraction, if the demand is shared out evenly."""
    return math.ceil(demand / busy - GRAIN)


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)
