"""Text from outside contains nothing that a terminal, a log or a page would interpret."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.plain_text import first_line, from_outside, lines, log_piece, one_line, problem, trace

ACTED_ON = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories: controls, formats (direction, zero width), surrogates, line and paragraph separators."""


def acted_on(text: str) -> set[str]:
    return {sign for sign in text if unicodedata.category(sign) in ACTED_ON}


@given(st.text(st.characters(codec=None)))
def test_no_sign_is_left_that_anything_acts_on(text: str) -> None:
    assert acted_on(one_line(text)) == set()
    assert acted_on(from_outside(text)) == set()
    assert acted_on(lines(text)) <= {"\n"}
    assert acted_on(problem(text)) <= {"\n"}
    assert acted_on(log_piece(text)) <= {"\n"}


@given(st.text())
def test_what_can_be_printed_stays_as_it_is(text: str) -> None:
    printable = "".join(sign for sign in text if sign.isprintable())

    assert one_line(printable) == printable
    assert lines(printable) == printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("user\u202egnp.exe", r"user\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("\u2028\x85", r"\u2028\x85"),
        ("\udcff", r"\udcff"),
        ("größer · 12 µs ≥ 3", "größer · 12 µs ≥ 3"),
    ],
)
def test_what_cannot_be_printed_is_spelled_out(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_only_a_traceback_has_lines_of_its_own_below_a_problem() -> None:
    what = "strategy s was stopped for A\nB: on_second raised x"
    trace = "Traceback (most recent call last):\n  File \x1b[31m\nValueError: x"

    assert problem(what) == r"strategy s was stopped for A\nB: on_second raised x"
    assert problem(f"{what}\n{trace}").split("\n") == [
        r"strategy s was stopped for A\nB: on_second raised x",
        "Traceback (most recent call last):",
        r"  File \x1b[31m",
        "ValueError: x",
    ]
    assert first_line(f"{what}\n{trace}") == problem(what)


def test_a_message_has_no_lines_of_its_own_in_a_traceback() -> None:
    def deep(depth: int) -> None:
        if depth:
            deep(depth - 1)
        raise ValueError("one\nTraceback\x1b[31m") from KeyError("a\nb")

    with pytest.raises(ValueError, match="one") as caught:
        deep(30)
    told = trace(caught.value, 5)

    assert told.startswith("KeyError: 'a\\nb'\n")
    assert told.split("\n")[-1] == r"ValueError: one\nTraceback\x1b[31m"
    assert 0 < told.count("  File ") <= 5
    assert acted_on(told) == {"\n"}


def test_words_of_a_peer_are_cut() -> None:
    assert from_outside("x" * 1_000_000) == "x" * 399 + "…"


def test_the_log_of_another_process_keeps_its_lines_and_loses_its_colours() -> None:
    piece = "\x1b[36m(pid=1)\x1b[0m said\r\nten%\rall\n\x1b]0;t\x07"

    assert log_piece(piece) == "(pid=1) said\nten%\nall\n\\x1b]0;t\\x07"
