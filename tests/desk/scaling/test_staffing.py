"""Who comes and who goes."""

from hypothesis import given
from hypothesis import strategies as st

from desk.scaling import Staffing, staff

HOME = "head"


def test_who_was_to_leave_stays_before_anybody_is_made() -> None:
    change = staff(5, {0: "a", 1: "b", 3: "b"}, pending=[], leaving=[3], home=HOME)

    assert change == Staffing(hire=(2, 4), recall=(3,))


def test_who_is_awaited_is_given_up_before_anybody_is_sent_away() -> None:
    change = staff(2, {0: "a", 1: "b", 2: "b"}, pending=[3, 4], leaving=[], home=HOME)

    assert change == Staffing(cancel=(4, 3), dismiss=(0,))


def test_the_emptiest_node_is_emptied_and_the_home_of_the_control_actors_last() -> None:
    nodes = {0: HOME, 1: "a", 2: "a", 3: "b", 4: "a"}

    assert staff(4, nodes, [], [], HOME).dismiss == (3,)
    assert staff(3, nodes, [], [], HOME).dismiss == (3, 4)
    assert staff(1, nodes, [], [], HOME).dismiss == (3, 4, 2, 1)


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

    change = staff(wanted, nodes, pending, leaving, HOME)

    staying = set(nodes) - leaving | set(change.recall)
    staying -= set(change.dismiss)
    awaited = pending - set(change.cancel) | set(change.hire)
    assert len(staying) + len(awaited) == wanted
    assert staying
    assert not set(change.hire) & (set(nodes) | pending)
    assert not change.dismiss or not (awaited or change.recall)
