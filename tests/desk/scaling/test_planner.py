"""The planner moves slots to the right shards, few at a time, and then stops."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from random import Random

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from desk.flow.routing_table import SLOTS, RoutingTable, slot_of
from desk.scaling import MovePlanner, PlannerState, SlotMove, by_slot, plan_moves
from desk.scaling.balance import next_step
from desk.scaling.slot_assignment import SlotAssignment, level

EAGER = MovePlanner(patience=1)
Loads = Mapping[int, float]

shares = st.one_of(st.integers(0, 12), st.sampled_from([1, 1, 1, 30])).map(float)
many_loads = st.lists(shares, max_size=40).map(lambda values: dict(enumerate(values)))


def a_table(owners: Mapping[int, int], other: int = 0) -> RoutingTable:
    return RoutingTable(1, tuple(owners.get(slot, other) for slot in range(SLOTS)))


def by_shard(loads: Loads, table: RoutingTable, shards: Sequence[int]) -> dict[int, float]:
    return {shard: sum(load for slot, load in loads.items() if table.shards[slot] == shard) for shard in shards}


def busiest(loads: Loads, table: RoutingTable, shards: Sequence[int]) -> float:
    return max(by_shard(loads, table, shards).values())


def after(table: RoutingTable, moves: Sequence[SlotMove]) -> RoutingTable:
    """The table when all of it is done; every move takes what its origin has, once."""
    slots = [slot for move in moves for slot in move.slots]
    assert len(slots) == len(set(slots))
    for move in moves:
        assert move.slots
        assert {table.shards[slot] for slot in move.slots} == {move.origin} != {move.to}
    for move in moves:
        table = table.moved(move.slots, move.to)
    return table


class Observer:
    """Feeds a planner and does what it says at once."""

    def __init__(self, table: RoutingTable, shards: Sequence[int], planner: MovePlanner = EAGER) -> None:
        self.table = table
        self.shards = shards
        self.planner = planner
        self.state = PlannerState()
        self.moved: list[int] = []

    def see(self, loads: Loads) -> list[SlotMove]:
        moves, self.state = plan_moves(self.planner, self.state, loads, self.table, self.shards)
        assert {move.to for move in moves} <= set(self.shards)
        self.table = after(self.table, moves)
        self.moved.append(sum(len(move.slots) for move in moves))
        return moves

    def settle(self, loads: Callable[[], Loads]) -> None:
        """Observe until nothing has moved for a good while; that must come."""
        while self.moved[-12:] != [0] * 12:
            self.see(loads())
            assert len(self.moved) < 200


@given(many_loads, st.integers(1, 5), st.data())
def test_constant_load_comes_to_rest_and_no_step_makes_the_busiest_busier(
    loads: Loads, shards: int, data: st.DataObject
) -> None:
    owners = {slot: data.draw(st.integers(0, shards - 1)) for slot in loads}
    observer = Observer(a_table(owners), range(shards))
    worst = [busiest(loads, observer.table, range(shards))]

    while observer.moved[-12:] != [0] * 12:
        observer.see(loads)
        worst.append(busiest(loads, observer.table, range(shards)))
        assert len(observer.moved) < 200

    assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(worst))


@given(many_loads, st.integers(2, 5), st.integers(0, 2**32), st.sampled_from([1, 3]))
@examples(50)
def test_noise_of_a_tenth_does_not_keep_slots_moving(loads: Loads, shards: int, seed: int, patience: int) -> None:
    chance = Random(seed)
    table = a_table({slot: chance.randrange(shards) for slot in loads})
    observer = Observer(table, range(shards), MovePlanner(patience=patience))

    def noisy() -> Loads:
        return {slot: load * chance.choice((0.9, 1.1, chance.uniform(0.9, 1.1))) for slot, load in loads.items()}

    observer.settle(noisy)

    for _ in range(30):
        assert observer.see(noisy()) == []


@given(st.lists(st.integers(1, 12).map(float), min_size=1, max_size=7), st.integers(2, 3), st.integers(0, 2**32))
def test_what_a_single_move_or_swap_could_even_out_is_evened_out(values: list[float], shards: int, seed: int) -> None:
    loads = dict(enumerate(values))
    chance = Random(seed)
    observer = Observer(a_table({slot: chance.randrange(shards) for slot in loads}), range(shards))

    observer.settle(lambda: loads)

    assignment = SlotAssignment([loads.get(slot, 0.0) for slot in range(SLOTS)], observer.table.shards, range(shards))
    if level(assignment.shard_loads(assignment.shared())) > 1.3:
        assert next_step(assignment, 1.1) is None


@given(st.lists(st.floats(0.5, 1.5), min_size=60, max_size=120), st.integers(2, 6))
@examples(30)
def test_many_light_slots_are_shared_out_to_the_target(values: list[float], shards: int) -> None:
    loads = dict(enumerate(values))
    observer = Observer(a_table({}), range(shards))

    observer.settle(lambda: loads)

    assert busiest(loads, observer.table, range(shards)) <= 1.1 * sum(values) / shards * (1 + 1e-6)


@given(many_loads, st.integers(2, 5), st.data())
def test_a_drained_shard_ends_empty(loads: Loads, shards: int, data: st.DataObject) -> None:
    leaving = data.draw(st.sets(st.integers(0, shards - 1), min_size=1, max_size=shards - 1))
    staying = sorted(set(range(shards)) - leaving)
    observer = Observer(RoutingTable.even(range(shards)), staying)

    for _ in range(SLOTS // shards // EAGER.drain_at_once + 1):
        observer.see(loads)

    assert set(observer.table.shards) <= set(staying)


def test_a_drained_shard_goes_onto_the_idlest() -> None:
    loads = {0: 5.0, 1: 1.0, 2: 2.0, 3: 3.0}
    observer = Observer(a_table({0: 0, 1: 1, 2: 2, 3: 2}), [0, 1], MovePlanner(drain_at_once=SLOTS))

    observer.see(loads)

    assert by_shard(loads, observer.table, [0, 1]) == {0: 5.0, 1: 6.0}


@given(many_loads, st.integers(1, 4), st.permutations(range(4)))
def test_the_same_observation_has_the_same_moves(loads: Loads, shards: int, order: list[int]) -> None:
    given_order = [shard for shard in order if shard < shards]
    turned = dict(reversed(list(loads.items())))

    first = plan_moves(EAGER, PlannerState(), loads, a_table({}), range(shards))
    second = plan_moves(EAGER, PlannerState(), turned, a_table({}), given_order)

    assert first == second


def test_a_slot_that_is_hotter_than_a_shard_gets_one_of_its_own() -> None:
    loads = {0: 100.0} | dict.fromkeys(range(1, 31), 1.0)
    observer = Observer(a_table({slot: slot % 3 for slot in loads}), range(3))

    observer.settle(lambda: loads)

    assert by_shard(loads, observer.table, range(3)) == {0: 100.0, 1: 15.0, 2: 15.0}
    assert observer.table.shards[0] == 0


def test_where_no_single_move_or_swap_helps_slots_stay() -> None:
    loads = dict(enumerate([6.0, 12.0, 13.0, 6.0, 12.0, 6.0]))
    stuck = {0: 0, 3: 0, 5: 0, 1: 1, 4: 1, 2: 2}
    observer = Observer(a_table(stuck), range(3))

    observer.settle(lambda: loads)

    assert next_step(SlotAssignment(list(loads.values()), [stuck[slot] for slot in loads], range(3)), 1.1) is None
    assert by_shard(loads, observer.table, range(3)) == {0: 18.0, 1: 24.0, 2: 13.0}


def test_one_observation_moves_few_slots_and_no_more_than_it_takes() -> None:
    loads = dict(enumerate([1.0] * 100))
    observer = Observer(a_table({slot: int(slot >= 70) for slot in loads}), range(2))

    observer.settle(lambda: loads)

    assert max(observer.moved) == 8
    assert sum(observer.moved) == 15


def test_a_burst_shorter_than_the_patience_moves_nothing() -> None:
    even, burst = {0: 1.0, 1: 2.0, 2: 1.0}, {0: 2.0, 1: 1.0, 2: 2.0}
    observer = Observer(a_table({0: 0, 1: 1, 2: 0}, other=1), range(2), MovePlanner(patience=3, weight=1.0))

    for loads in (even, burst, burst, even, even, burst, burst):
        assert observer.see(loads) == []

    assert observer.see(burst) != []


def test_a_newcomer_is_given_its_share_without_patience() -> None:
    loads = dict.fromkeys(range(100), 1.0)
    observer = Observer(RoutingTable.even(range(4)), range(5), MovePlanner(patience=50))

    for _ in range(5):
        observer.see(loads)

    assert max(by_shard(loads, observer.table, range(5)).values()) <= 22.0
    assert observer.state.acting is False


def test_without_load_nothing_moves() -> None:
    assert plan_moves(EAGER, PlannerState(), {}, a_table({}), range(3))[0] == []


def test_without_a_shard_there_is_no_plan() -> None:
    with pytest.raises(ValueError, match="at least one shard"):
        plan_moves(EAGER, PlannerState(), {}, a_table({}), [])


def test_loads_of_symbols_are_added_up_by_slot() -> None:
    assert by_slot({"A": 1.0, "B": 2.0}) == {slot_of("A"): 1.0, slot_of("B"): 2.0}
