"""Ids that are text become 64-bit identities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.venues.identities import text_id


@pytest.mark.parametrize("number", [1, 12_345, 2**63 - 1])
def test_a_decimal_number_below_63_bits_is_the_identity(number: int) -> None:
    assert text_id(str(number)) == number


@pytest.mark.parametrize("text", ["0", "007", "1.5", "-1", str(2**63), str(10**30), "a", "٣", "4/12345"])
def test_other_text_is_hashed_with_the_top_bit(text: str) -> None:
    assert 2**63 <= text_id(text) < 2**64


def test_no_text_is_no_identity() -> None:
    assert text_id("") == 0


@given(st.text(max_size=40), st.text(max_size=40))
def test_different_texts_have_different_identities(one: str, other: str) -> None:
    assert (text_id(one) == text_id(other)) == (one == other)
