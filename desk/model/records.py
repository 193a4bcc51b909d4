"""Rows and answers that cross doors now and then: scans, decisions."""

import msgspec

from desk.model.bars import Bar
from desk.model.orders import Intent


class ScanAnswer(msgspec.Struct, array_like=True):
    """What one scanner wants now, best first. Of one that is `stopped` the last answer stands.

    `bars` holds the session's earlier minutes of those symbols that were not subscribed when it was
    asked, from the rows received before the mark at which the answer takes effect; `remembered` the trades behind
    them that may still be corrected, where they have identities.
    """

    scanner: str
    symbols: list[str]
    bars: dict[str, list[Bar]] = {}
    problem: str = ""
    remembered: dict[str, bytes] = {}
    stopped: bool = False


class GapRecord(msgspec.Struct, array_like=True):
    """Session time in which nothing came from the venue, for so many subscribed symbols, and why."""

    from_ns: int
    to_ns: int
    symbols: int
    why: str
    repaired: bool = False


class Decision(msgspec.Struct, array_like=True):
    """An intent and what became of it: the final status of its order, or `refused: why`."""

    intent: Intent
    outcome: str
