from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from desk.model.orders import OrderEvent
from desk.producer.subscriptions import Subscriptions


def an_event(number: int, symbol: str, status: Any, fill: float = 0.0, side: Any = "buy", of: int = 1) -> OrderEvent:
    return OrderEvent(
        number, symbol, "s", f"o-{symbol}-{of}", status, side, "market", "day", 10.0, 0, fill, fill, 10.0 * bool(fill)
    )


def test_the_plans_symbols_are_there_from_the_start_and_for_good() -> None:
    subscriptions = Subscriptions(["B", "A"])

    subscriptions.set_wanted("S", [])

    assert subscriptions.symbols == ["A", "B"]
    assert subscriptions.changes() == ([], [], [])
    assert subscriptions.scanners_of("A") == [""]


def test_scanners_add_and_remove_symbols_and_the_plan_is_distinguished() -> None:
    subscriptions = Subscriptions(["A"])

    subscriptions.set_wanted("S", ["B", "A"])
    subscriptions.set_wanted("T", ["B", "C"])
    first = subscriptions.changes()
    subscriptions.set_wanted("S", ["C"])
    subscriptions.set_wanted("T", [])
    second = subscriptions.changes()

    assert first == (["B", "C"], ["A"], [])
    assert second == ([], ["A", "C"], ["B"])
    assert subscriptions.scanners_of("C") == ["S"]
    assert (subscriptions.symbols, subscriptions.wanted_by_scanners) == (["A", "C"], 1)


def test_the_most_wanted_come_first_positions_then_the_plan_then_scanners_by_rank() -> None:
    subscriptions = Subscriptions(["P2", "P1"])
    subscriptions.set_wanted("S", ["X", "Y", "Z"])
    subscriptions.set_wanted("T", ["Z", "W"])
    subscriptions.changes()
    subscriptions.on_event(an_event(1, "W", "filled", 10.0))

    order = subscriptions.most_wanted_first()
    again = Subscriptions([])
    again.restore(subscriptions.state())

    assert order == ["W", "P2", "P1", "X", "Z", "Y"]
    assert again.most_wanted_first() == order


def test_a_symbol_is_kept_while_an_order_or_a_position_is_open_in_it() -> None:
    subscriptions = Subscriptions([])
    subscriptions.set_wanted("S", ["A", "B", "C"])
    subscriptions.changes()
    subscriptions.on_event(an_event(1, "A", "accepted"))
    subscriptions.on_event(an_event(1, "B", "filled", 10.0))
    subscriptions.set_wanted("S", [])

    kept = subscriptions.changes()
    subscriptions.on_event(an_event(2, "A", "canceled"))
    subscriptions.on_event(an_event(2, "B", "filled", 10.0, "sell", of=2))
    let_go = subscriptions.changes()

    assert kept == ([], ["A", "B"], ["C"])
    assert let_go == ([], [], ["A", "B"])
    assert subscriptions.open_positions == 0


def test_what_two_strategies_hold_against_each_other_is_not_nothing() -> None:
    subscriptions = Subscriptions([])
    subscriptions.set_wanted("S", ["A"])
    subscriptions.changes()
    subscriptions.on_event(an_event(1, "A", "filled", 10.0))
    other = an_event(2, "A", "filled", 10.0, "sell", of=2)
    subscriptions.on_event(OrderEvent(*[*(getattr(other, f) for f in ("number", "symbol")), "t", *_rest(other)]))
    subscriptions.set_wanted("S", [])

    assert subscriptions.open_positions == 2
    assert subscriptions.changes() == ([], ["A"], [])


def _rest(event: OrderEvent) -> list[Any]:
    return [getattr(event, name) for name in event.__struct_fields__[3:]]


def test_an_event_that_comes_again_counts_once() -> None:
    subscriptions = Subscriptions([])
    buy = an_event(1, "A", "filled", 10.0)
    sell = an_event(2, "A", "filled", 10.0, "sell", of=2)

    for event in (buy, sell, buy, sell, buy):
        subscriptions.on_event(event)

    assert subscriptions.open_positions == 0


def test_a_symbol_in_which_an_order_opens_after_it_was_let_go_is_taken_back() -> None:
    subscriptions = Subscriptions([])
    subscriptions.set_wanted("S", ["A"])
    subscriptions.changes()
    subscriptions.set_wanted("S", [])
    subscriptions.changes()

    subscriptions.on_event(an_event(1, "A", "accepted"))

    assert subscriptions.changes() == (["A"], [], [])


wishes = st.lists(st.tuples(st.sampled_from("ST"), st.sets(st.sampled_from("ABCDE"))), max_size=12)


@given(st.sets(st.sampled_from("ABC")), wishes)
def test_changes_always_lead_to_what_is_wanted(always: set[str], wanted: list[tuple[str, set[str]]]) -> None:
    subscriptions = Subscriptions(always)
    there, last = set(always), {}

    for scanner, symbols in wanted:
        last[scanner] = symbols
        subscriptions.set_wanted(scanner, symbols)
        new, changed, gone = subscriptions.changes()
        assert not there.intersection(new)
        assert there.issuperset(gone)
        there = (there | set(new)) - set(gone)
        assert there == always.union(*last.values()) == set(subscriptions.symbols)
        assert there.issuperset(changed)


@given(st.lists(st.tuples(st.sampled_from(["S", "T"]), st.sets(st.sampled_from("ABCD"))), max_size=20))
def test_at_one_mark_a_symbol_changes_once_at_most(wishes: list[tuple[str, set[str]]]) -> None:
    one = Subscriptions(["A"])

    for scanner, symbols in wishes:
        one.set_wanted(scanner, symbols)
        new, changed, gone = one.changes()
        assert len({*new, *changed, *gone}) == len(new) + len(changed) + len(gone)


symbols_of = st.sets(st.sampled_from("ABCDE"))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("set_wanted"), st.sampled_from("ST"), symbols_of),
        st.tuples(st.just("add_if_new"), st.sampled_from("ABCDE")),
        st.tuples(st.just("changes")),
        st.tuples(
            st.just("event"),
            st.sampled_from("ABC"),
            st.sampled_from(["accepted", "partially_filled", "filled", "canceled"]),
            st.sampled_from([0.0, 0.1, 3.0]),
            st.sampled_from(["buy", "sell"]),
            st.integers(1, 3),
        ),
    ),
    max_size=15,
)


def carry_out(one: Subscriptions, done: list[tuple[Any, ...]], numbers: "count[int]") -> list[Any]:
    """What the operations answer, and how things stand after each."""
    told: list[Any] = []
    for name, *values in done:
        if name == "event":
            symbol, status, fill, side, of = values
            one.on_event(an_event(next(numbers), symbol, status, fill, side, of))
            told.append(None)
        else:
            told.append(getattr(one, name)(*values))
        told.append((one.symbols, one.wanted_by_scanners, one.open_positions))
        told.append([one.scanners_of(symbol) for symbol in "ABCDE"])
    return told


@given(st.sampled_from([[], ["A"], ["B", "A"], ["*"]]), operations, operations)
def test_restored_subscriptions_continue_as_the_original_does(
    always: list[str], before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]
) -> None:
    original, restored = Subscriptions(always), Subscriptions(["Z"])
    carry_out(original, before, count(1))

    restored.restore(original.state())

    assert restored.state() == original.state()
    from_first = [carry_out(one, after, count(1)) for one in (original, restored)]
    assert from_first[0] == from_first[1]
    from_later = [carry_out(one, after, count(100)) for one in (original, restored)]
    assert from_later[0] == from_later[1]
    assert restored.state() == original.state()
