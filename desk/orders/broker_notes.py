"""The order manager's notes: the state that a restart needs beside decisions and order events.

Names and JSON texts, written in the commit of the call that changed them: last prices, problems, diverged pairs,
the session's close, and the ledger's position when the close began.

Tests: tests/desk/ledger/test_ledger_sessions.py
"""

from collections.abc import Mapping

import msgspec

from desk.trading.positions import Pair

CLOSED = "closed"
CLOSING = "closing"


class CloseStart(msgspec.Struct):
    """The ledger's position when the session's close began: the last event number by symbol, and the notes."""

    events: dict[str, int]
    notes: dict[str, str]


class NoteChanges:
    """The notes that one call changed, by name."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def price(self, symbol: str, price: float) -> None:
        """Note the symbol's last price."""
        self._write(f"price {symbol}", price)

    def problem(self, number: int, text: str) -> None:
        """Note the problem of this number, from 1."""
        self._write(f"problem {number}", text)

    def diverged(self, pair: Pair) -> None:
        """Note that the pair has diverged."""
        self._write("diverged " + _json(pair), True)

    def closing(self, closing: CloseStart) -> None:
        """Note the start of the session's close."""
        self.texts[CLOSING] = msgspec.json.encode(closing, order="sorted").decode()

    def closed(self) -> None:
        """Note that the session is closed."""
        self._write(CLOSED, True)

    def _write(self, name: str, value: float | str | bool) -> None:
        self.texts[name] = _json(value)


class RecoveredNotes(msgspec.Struct):
    """All notes of a session."""

    prices: dict[str, float]
    problems: list[str]
    diverged: set[Pair]
    closed: bool


def read_notes(texts: Mapping[str, str]) -> RecoveredNotes:
    """Decode these notes, in any order."""
    prices: dict[str, float] = {}
    problems: dict[int, str] = {}
    diverged: set[Pair] = set()
    for name, text in texts.items():
        kind, _, key = name.partition(" ")
        if kind == "price":
            prices[key] = msgspec.json.decode(text, type=float)
        elif kind == "problem":
            problems[int(key)] = msgspec.json.decode(text, type=str)
        elif kind == "diverged":
            diverged.add(msgspec.json.decode(key, type=Pair))
    return RecoveredNotes(prices, [problems[number] for number in sorted(problems)], diverged, CLOSED in texts)


def read_closing(text: str) -> CloseStart:
    """Decode a note of the name CLOSING."""
    return msgspec.json.decode(text, type=CloseStart)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
