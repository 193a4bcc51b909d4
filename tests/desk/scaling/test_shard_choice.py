"""Which shard joins next and which leaves next."""

from hypothesis import given
from hypothesis import strategies as st

from desk.scaling import ShardChanges, choose_changes

HOME = "head"


def test_who_was_to_leave_stays_before_anybody_is_made() -> None:
    change = choose_changes(5, {0: "a", 1: "b", 3: "b"}, pending=[], leaving=[3], home=HOME)

    assert change == ShardChanges(start=(2, 4), keep=(3,))


def test_who_is_awaited_is_given_up_before_anybody_is_sent_away() -> None:
    change = choose_changes(2, {0: "a", 1: "b", 2: "b"}, pending=[3, 4], leaving=[], home=HOME)

    assert change == ShardChanges(cancel=(4, 3), stop=(0,))


def test_the_emptiest_node_is_emptied_and_the_home_of_the_control_actors_last() -> None:
    nodes = {0: HOME, 1: "a", 2: "a", 3: "b", 4: "a"}

    assert choose_changes(4, nodes, [], [], HOME).stop == (3,)
    assert choose_changes(3, nodes, [], [], HOME).stop == (3, 4)
    assert choose_changes(1, nodes, [], [], HOME).stop == (3, 4, 2, 1)


@given(
    wanted=st.integers(1, 9),
    nodes=st.dictionaries(st.integers(0, 8), st.sampled_from([HOME, "a", "b"]), min_size=1),
    pending=st.sets(st.integers(9, 12), max_size=3),
    leaving=st.sets(st.integers(0, 8), max_size=4),
)
def test_as_many_as_wanted_stay_or_are_awaited(
    wanted: int, nodes: dict[int, str], pending: set[int], leaving: set[int]
) -> None:
    leaving &= nodes.keys()
    if leaving == nodes.keys():
        leaving = set()

    change = choose_changes(wanted, nodes, pending, leaving, HOME)

    staying = set(nodes) - leaving | set(change.keep)
    staying -= set(change.stop)
    awaited = pending - set(change.cancel) | set(change.start)
    assert len(staying) + len(awaited) == wanted
    assert staying
    assert not set(change.start) & (set(nodes) | pending)
    assert not change.stop or not (awaited or change.keep)
