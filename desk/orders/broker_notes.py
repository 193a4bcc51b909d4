"""The order manager's notes: what it must know after a restart and neither decisions nor order events tell.

Names and JSON texts, written in the commit of the call that changed them: last prices, problems, diverged pairs,
that the session was closed, and where its ledger stood when the close began.

Tests: tests/desk/ledger/test_ledger_sessions.py
"""

from collections.abc import Mapping

import msgspec

from desk.trading.positions import Pair

CLOSED = "closed"
CLOSING = "closing"


class CloseStart(msgspec.Struct):
    """Where the session's ledger stood when its close began: the last event's number by symbol, and the notes."""

    events: dict[str, int]
    notes: dict[str, str]


class NoteChanges:
    """What one call changed, by name."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def price(self, symbol: str, price: float) -> None:
        """The symbol's last price is this now."""
        self._write(f"price {symbol}", price)

    def problem(self, number: int, text: str) -> None:
        """The problem of this number, from 1."""
        self._write(f"problem {number}", text)

    def diverged(self, pair: Pair) -> None:
        """The pair decided differently than before."""
        self._write("diverged " + _json(pair), True)

    def closing(self, closing: CloseStart) -> None:
        """The session's close begins here."""
        self.texts[CLOSING] = msgspec.json.encode(closing, order="sorted").decode()

    def closed(self) -> None:
        """The session was closed."""
        self._write(CLOSED, True)

    def _write(self, name: str, value: float | str | bool) -> None:
        self.texts[name] = _json(value)


class RecoveredNotes(msgspec.Struct):
    """All that was noted in a session."""

    prices: dict[str, float]
    problems: list[str]
    diverged: set[Pair]
    closed: bool


def read_notes(texts: Mapping[str, str]) -> RecoveredNotes:
    """What these notes say, whatever their order."""
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
    """What a note of the name CLOSING says."""
    return msgspec.json.decode(text, type=CloseStart)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
