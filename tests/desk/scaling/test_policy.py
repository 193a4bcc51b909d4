"""More consumers when the need lasts, fewer when fewer would have been enough for long; reading by reading."""

from itertools import pairwise

import msgspec
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from desk.model.units import MS_NS, SECOND_NS
from desk.scaling import PolicyState, ScalingPolicy, ScalingReading, decide

POLICY = ScalingPolicy(1, 8, 50 * MS_NS)

one_reading = st.builds(
    ScalingReading,
    now_ns=st.floats(0.2, 90).map(lambda passed_s: round(passed_s * SECOND_NS)),
    busy=st.lists(st.floats(0, 1.2), max_size=8).map(lambda shares: dict(enumerate(shares))),
    time_in_queue_ns=st.none() | st.integers(0, 2 * SECOND_NS),
    dropped=st.integers(0, 3),
    pending=st.integers(0, 3),
    lopsided=st.booleans(),
)
"""Their times are those since the reading before."""


class Watch:
    """Gives readings to a policy, a second apart."""

    def __init__(self, policy: ScalingPolicy = POLICY, state: PolicyState | None = None) -> None:
        self.policy = policy
        self.state = state or PolicyState()
        self.now_ns = 0
        self.asked: list[int] = []

    def see(
        self,
        *busy: float,
        wait_ms: float | None = 1,
        dropped: int = 0,
        pending: int = 0,
        lopsided: bool = False,
        after_s: float = 1.0,
    ) -> int:
        self.now_ns += round(after_s * SECOND_NS)
        wait_ns = None if wait_ms is None else round(wait_ms * MS_NS)
        reading = ScalingReading(self.now_ns, dict(enumerate(busy)), wait_ns, dropped, pending, lopsided)
        desired, self.state = decide(self.policy, self.state, reading)
        self.asked.append(desired)
        return desired

    def settle(self, *busy: float) -> "Watch":
        """Until what was seen before a change does not matter any more."""
        for _ in range(6):
            self.see(*busy)
        return self

    def seconds(self, count: int, *busy: float, wait_ms: float | None = 1) -> list[int]:
        return [self.see(*busy, wait_ms=wait_ms) for _ in range(count)]


def settled(*busy: float, policy: ScalingPolicy = POLICY) -> Watch:
    return Watch(policy).settle(*busy)


def given_all(readings: list[ScalingReading], policy: ScalingPolicy = POLICY) -> tuple[list[int], PolicyState, int]:
    state, now_ns, asked = PolicyState(), 0, []
    for reading in readings:
        now_ns += reading.now_ns
        number, state = decide(policy, state, msgspec.structs.replace(reading, now_ns=now_ns))
        asked.append(number)
    return asked, state, now_ns


def test_at_first_every_working_or_pending_consumer_is_kept() -> None:
    assert Watch().see(0.3, 0.3, pending=2) == 4
    assert Watch().see(pending=3) == 3
    assert Watch().see() == 1


def test_a_load_above_the_target_is_answered_when_it_has_lasted() -> None:
    watch = settled(0.5)

    assert watch.seconds(3, 0.7) == [1, 1, 2]


def test_a_burst_shorter_than_the_delay_is_not_answered() -> None:
    watch = settled(0.5)

    for busy, wait_ms in [(1.0, 400), (1.0, 900), (0.6, 10)] * 5:
        assert watch.see(busy, wait_ms=wait_ms) == 1


def test_a_late_reading_and_a_missing_one_do_not_hold_up_the_answer() -> None:
    watch = settled(0.5)

    watch.see(0.7, after_s=1.4)

    assert watch.see(0.7, after_s=2.0) == 2


def test_what_a_saturated_shard_hides_is_requested_at_once() -> None:
    watch = settled(0.6)

    # 2.4 shards' worth of work: the wait grows by 1 - 1 / 2.4 each second.
    asked = [watch.see(1.0, wait_ms=583 * second) for second in (1, 2, 3)]

    assert asked == [1, 1, 4]


def test_saturated_shards_that_drop_ticks_double() -> None:
    watch = settled(*[0.5] * 3)

    asked = [watch.see(1.0, 1.0, 1.0, wait_ms=None, dropped=100) for _ in range(3)]

    assert asked == [3, 3, 6]


def test_a_backlog_that_drains_is_not_taken_for_load() -> None:
    watch = settled(*[0.55] * 4)
    watch.see(1.0, 1.0, 1.0, 1.0, wait_ms=5000)

    # 2.2 shards' worth of work on four: the wait falls by 4 / 2.2 - 1 each second.
    for second in range(1, 6):
        assert watch.see(1.0, 1.0, 1.0, 1.0, wait_ms=5000 - 818 * second) == 4


def test_time_in_queue_above_its_objective_asks_for_one_more() -> None:
    watch = settled(0.3, 0.3)

    assert watch.seconds(3, 0.3, 0.3, wait_ms=60) == [2, 2, 3]


def test_drops_ask_for_one_more() -> None:
    watch = settled(0.3, 0.3)

    assert [watch.see(0.3, 0.3, wait_ms=None, dropped=1) for _ in range(3)] == [2, 2, 3]


def test_nothing_more_is_requested_while_a_requested_consumer_is_pending_or_new() -> None:
    watch = settled(0.3)
    watch.seconds(3, 0.3, wait_ms=200)
    assert watch.asked[-1] == 2

    awaited = [watch.see(0.3, wait_ms=300, pending=1) for _ in range(30)]
    just_come = [watch.see(0.3, 0.1, wait_ms=300) for _ in range(5)]

    assert {*awaited, *just_come} == {2}


def test_more_is_requested_while_one_is_awaited_if_the_load_needs_more_than_that() -> None:
    watch = settled(0.5)
    watch.seconds(3, 0.7)
    assert watch.asked[-1] == 2

    asked = [watch.see(1.0, wait_ms=600 * second, pending=1) for second in range(1, 4)]

    assert asked[-1] > 2


def test_a_backlog_left_with_old_shards_does_not_ask_for_more_than_the_new_ones_need() -> None:
    watch = settled(0.5)
    for second in range(1, 4):
        watch.see(1.0, wait_ms=583 * second)
    assert watch.asked[-1] == 4

    watch.see(1.0, 0.0, 0.0, 0.0, wait_ms=2300, lopsided=True)
    asked = [watch.see(1.0, 0.55, 0.55, 0.55, wait_ms=2300 + 500 * second) for second in range(4)]

    assert set(asked) == {4}


def test_slots_under_way_or_a_shard_far_above_the_others_call_for_no_more() -> None:
    watch = settled(0.3, 0.3, 0.3)

    asked = [watch.see(1.0, 0.1, 0.1, wait_ms=100 * second, lopsided=True) for second in range(60)]

    assert set(asked) == {3}


def test_what_one_saturated_shard_hides_is_nothing_for_more_shards_while_another_has_room() -> None:
    watch = settled(0.5, 0.1)

    assert [watch.see(1.0, 0.1, wait_ms=583 * second) for second in range(1, 4)] == [2, 2, 3]


def test_a_load_that_is_too_much_for_all_together_counts_though_slots_are_under_way() -> None:
    watch = settled(0.3, 0.3)

    asked = [watch.see(1.0, 0.4, lopsided=True) for _ in range(3)]

    assert asked[-1] == 3


def test_a_wait_that_more_consumers_do_not_cure_is_tried_at_ever_longer_intervals() -> None:
    watch = Watch()

    for _ in range(2 * 3600):
        watch.see(*[0.05] * (watch.asked[-1] if watch.asked else 1), wait_ms=200)

    steps = [second for second, (before, after) in enumerate(pairwise(watch.asked)) if before != after]
    assert watch.asked[-1] == 5
    assert all(later - earlier >= 300 for earlier, later in pairwise(steps))
    assert steps[2] - steps[1] >= 1200
    assert steps[3] - steps[2] >= 4800


def test_a_wait_that_every_step_cures_in_part_is_followed_until_it_is_cured() -> None:
    watch = Watch()

    for _ in range(120):
        working = watch.asked[-1] if watch.asked else 1
        watch.see(*[0.4] * working, wait_ms=400 / working**2)

    assert watch.asked[-1] == 3


def test_a_desk_that_was_calm_in_between_does_not_wait_longer_for_its_next_attempt() -> None:
    watch = settled(0.3)
    for _ in range(3):
        watch.seconds(3, *[0.3] * watch.asked[-1], wait_ms=200)
        watch.seconds(301, *[0.3] * watch.asked[-1])

    assert watch.asked[-1] == 4


def test_fewer_are_wanted_when_fewer_would_have_done_for_all_of_the_delay() -> None:
    watch = settled(*[0.5] * 6)

    asked = watch.seconds(61, *[0.1] * 6)

    assert asked == [6] * 60 + [2]


def test_the_largest_need_of_the_delay_decides() -> None:
    watch = settled(*[0.3] * 6)

    watch.see(*[0.35] * 6)
    watch.seconds(58, *[0.1] * 6)

    assert watch.see(*[0.1] * 6) == 5


def test_what_a_step_down_does_is_seen_for_the_whole_delay_before_the_next() -> None:
    watch = settled(*[0.3] * 6)
    watch.see(*[0.35] * 6)
    watch.seconds(53, *[0.1] * 6)

    assert watch.see(*[0.1] * 6) == 5
    assert watch.seconds(60, *[0.12] * 5) == [5] * 59 + [2]


def test_one_fewer_must_be_clearly_below_the_target() -> None:
    watch = settled(0.4, 0.4, 0.4)

    # Two would be at 0.5, less than a fifth below 0.6, then at 0.45.
    assert set(watch.seconds(300, 0.334, 0.334, 0.334)) == {3}
    assert watch.seconds(62, 0.3, 0.3, 0.3)[-1] == 2


def test_who_misses_the_objective_twice_in_a_row_keeps_its_consumers_and_a_lone_outlier_changes_nothing() -> None:
    patient = ScalingPolicy(1, 8, 50 * MS_NS, up_delay_s=10)
    twice, once = settled(0.1, 0.1, policy=patient), settled(0.1, 0.1, policy=patient)

    for second in range(300):
        twice.see(0.1, 0.1, wait_ms=60 if second % 30 < 2 else 1)
        once.see(0.1, 0.1, wait_ms=60 if second % 30 < 1 else 1)

    assert twice.asked[-1] == 2
    assert once.asked[-1] == 1


def test_who_drops_ticks_keeps_its_consumers() -> None:
    watch = settled(0.1, 0.1)

    assert {watch.see(0.1, 0.1, dropped=second % 30 == 0) for second in range(300)} == {2}


def test_no_consumer_is_removed_at_the_moment_at_which_the_objective_is_missed() -> None:
    watch = settled(0.1, 0.1)
    watch.seconds(54, 0.1, 0.1)

    assert watch.see(0.1, 0.1, wait_ms=60) == 2
    assert watch.see(0.1, 0.1) == 1


def test_with_a_load_that_was_too_much_for_fewer_fewer_are_not_tried_again() -> None:
    watch = settled(0.4)
    watch.seconds(3, 0.4, wait_ms=80)
    assert watch.asked[-1] == 2

    assert set(watch.seconds(3600, 0.2, 0.2)) == {2}
    assert watch.seconds(120, 0.15, 0.15)[-1] == 1


def test_no_consumer_is_removed_while_one_of_the_shards_is_away() -> None:
    watch = settled(0.4, 0.4, 0.4)

    assert set(watch.seconds(300, 0.1, 0.1)) == {3}


def test_a_consumer_that_never_starts_is_given_up_when_the_load_has_gone() -> None:
    watch = settled(0.5)
    watch.seconds(3, 0.9)
    assert watch.asked[-1] == 2

    assert [watch.see(0.2, pending=1) for _ in range(62)][-1] == 1


def test_a_reading_without_a_shard_at_work_changes_nothing() -> None:
    watch = settled(0.5, 0.5)

    assert {watch.see(wait_ms=None, pending=pending) for pending in (0, 1, 2) for _ in range(100)} == {2}


def test_a_policy_with_no_choice_has_none() -> None:
    watch = Watch(ScalingPolicy(3, 3, 50 * MS_NS))

    for second in range(200):
        assert watch.see(*[second % 7 / 6] * 3, wait_ms=second, dropped=second % 2) == 3


@given(st.lists(one_reading, max_size=80), st.integers(1, 4), st.integers(0, 4))
def test_whatever_is_read_the_answer_is_within_its_limits_and_the_memory_stays_small(
    readings: list[ScalingReading], least: int, more: int
) -> None:
    asked, state, _ = given_all(readings, ScalingPolicy(least, least + more, 50 * MS_NS))

    assert all(least <= number <= least + more for number in asked)
    assert all(before.number > after.number for before, after in pairwise(state.peaks))


@given(
    st.lists(one_reading, max_size=40),
    st.sampled_from([0.1, 0.4, 0.7, 1.0]),
    st.integers(0, 70),
    one_reading,
    st.lists(st.floats(0, 0.5), min_size=8, max_size=8),
)
@examples(200)
def test_more_busy_never_wants_less(
    before: list[ScalingReading], steady: float, lasting: int, reading: ScalingReading, more: list[float]
) -> None:
    steadily = ScalingReading(SECOND_NS, dict.fromkeys(reading.busy, steady), MS_NS, 0, 0)
    _, state, now_ns = given_all([*before, *[steadily] * lasting])
    reading = msgspec.structs.replace(reading, now_ns=now_ns + reading.now_ns)
    busier = msgspec.structs.replace(
        reading, busy={shard: share + more[shard] for shard, share in reading.busy.items()}
    )

    assert decide(POLICY, state, busier)[0] >= decide(POLICY, state, reading)[0]


@given(st.lists(one_reading, max_size=40))
def test_the_order_in_which_shards_are_named_does_not_matter(readings: list[ScalingReading]) -> None:
    turned = [msgspec.structs.replace(reading, busy=dict(reversed(reading.busy.items()))) for reading in readings]

    assert given_all(readings) == given_all(turned)
