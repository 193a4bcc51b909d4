import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.orders import Side
from desk.strategy import Position
from desk.trading.positions import FLAT, PositionBook, after_fill

SIDES: st.SearchStrategy[Side] = st.sampled_from(["buy", "sell"])
fills = st.tuples(
    st.sampled_from(["a", "b"]),
    SIDES,
    st.integers(1, 400).map(lambda n: n / 4),
    st.integers(100, 40_000).map(lambda n: n / 100),
)


def test_adding_averages_the_price() -> None:
    position = after_fill(after_fill(FLAT, "buy", 10.0, 100.0), "buy", 30.0, 104.0)

    assert position == Position(40.0, 103.0)


def test_reducing_realizes_against_the_average_and_keeps_it() -> None:
    long = Position(40.0, 103.0)

    position = after_fill(long, "sell", 10.0, 105.0, fee=0.5)

    assert position == Position(30.0, 103.0, realized=20.0, fees=0.5)


def test_crossing_zero_closes_one_side_and_opens_the_other_at_the_fill_price() -> None:
    short = Position(-10.0, 50.0)

    position = after_fill(short, "buy", 25.0, 48.0)

    assert position == Position(15.0, 48.0, realized=20.0)


def test_fractions_that_close_a_position_leave_no_dust() -> None:
    position = FLAT
    for _ in range(3):
        position = after_fill(position, "buy", 0.1, 10.0)

    position = after_fill(position, "sell", 0.3, 10.0)

    assert (position.quantity, position.average_price) == (0.0, 0.0)


def test_what_has_no_price_is_worth_what_it_cost() -> None:
    book = PositionBook()
    book.fill(("a", "X"), "buy", 10.0, 5.0)
    book.fill(("a", "Y"), "sell", 10.0, 5.0)

    assert book.unrealized({"Y": 4.0}) == 10.0
    assert book.gross({"Y": 4.0}) == 90.0
    assert book.net({"Y": 4.0}) == 10.0


@given(st.lists(fills, max_size=30), st.integers(100, 40_000).map(lambda n: n / 100))
def test_profit_is_the_cash_that_came_and_went_plus_what_is_held(
    history: list[tuple[str, Side, float, float]], price: float
) -> None:
    book = PositionBook()
    cash, held, fees = 0.0, 0.0, 0.0

    for strategy, side, quantity, at in history:
        book.fill((strategy, "X"), side, quantity, at, fee=0.01)
        sign = 1.0 if side == "buy" else -1.0
        cash -= sign * quantity * at
        held += sign * quantity
        fees += 0.01

    assert book.realized + book.unrealized({"X": price}) == pytest.approx(cash + held * price, abs=1e-5)
    assert book.fees == pytest.approx(fees)
    assert sum(position.quantity for position in book.positions().values()) == pytest.approx(held)
    assert sum(position.realized for position in book.positions().values()) == pytest.approx(book.realized, abs=1e-6)
