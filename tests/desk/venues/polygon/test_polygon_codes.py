"""Numbers become the letters of the SIPs; unknown ones are counted by name."""

import pytest

from desk.bars.sale_conditions import CONDITIONS, eligibility
from desk.venues.polygon.codes import EXCHANGES, QUOTE_CONDITIONS, SALE_CONDITIONS, TAPES, CodeMap


@pytest.mark.parametrize(
    ("numbers", "tape", "letters"),
    [((), "A", ""), ((0,), "A", "@"), ((12, 37), "C", "TI"), ((2,), "C", "W"), ((2,), "B", "B"), ((14, 41), "A", "F")],
)
def test_conditions_are_the_letters_of_the_tape(numbers: tuple[int, ...], tape: str, letters: str) -> None:
    assert CodeMap().conditions(numbers, tape) == letters


def test_every_letter_of_a_sale_is_one_that_bars_know() -> None:
    letters = {letter for pair in SALE_CONDITIONS.values() for letter in pair if letter}

    assert letters <= set(CONDITIONS)


@pytest.mark.parametrize("tape", ["A", "C"])
def test_conditions_without_a_price_set_none(tape: str) -> None:
    codes = CodeMap()

    assert not eligibility(codes.conditions((37,), tape)).high_low
    assert not eligibility(codes.conditions((2,), tape)).open_close
    assert eligibility(codes.conditions((15,), tape)).volume is False


def test_exchanges_tapes_and_quote_conditions_are_single_letters_except_otc() -> None:
    assert {len(letter) for number, letter in EXCHANGES.items() if number != 62} == {1}
    assert set(TAPES.values()) == {"A", "B", "C"}
    assert all(len(letter) == 1 for letter in QUOTE_CONDITIONS.values())


def test_unknown_numbers_have_no_letter_and_are_counted_by_name() -> None:
    codes = CodeMap()

    assert codes.conditions((37, 999), "C") == codes.conditions((999, 37), "C") == "I"
    assert codes.exchange(99) == codes.tape(9) == codes.quote_condition(77) == codes.band((88,)) == ""
    assert codes.exchange(0) == codes.tape(0) == ""
    assert codes.unmapped == {
        "sale condition 999": 2,
        "exchange 99": 1,
        "tape 9": 1,
        "quote condition 77": 1,
        "LULD indicator 88": 1,
    }


def test_the_names_of_unknown_numbers_are_bounded() -> None:
    codes = CodeMap()

    for number in range(1_000, 2_000):
        codes.exchange(number)

    assert sum(codes.unmapped.values()) == 1_000
    assert len(codes.unmapped) <= 257
