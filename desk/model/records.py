"""Infrequent records between processes: scan answers, gaps, decisions."""

import msgspec

from desk.model.bars import Bar
from desk.model.orders import Intent


class ScanAnswer(msgspec.Struct, array_like=True):
    """The symbols that one scanner wants now, best first. The last answer of a `stopped` scanner stays in force.

    `bars` are the session's earlier minutes of the symbols that were not subscribed at the time of the scan, from the
    rows received before the mark at which the answer takes effect. `remembered` are those of their trades that may
    still be corrected, encoded by symbol; symbols without trade identities have none.
    """

    scanner: str
    symbols: list[str]
    bars: dict[str, list[Bar]] = {}
    problem: str = ""
    remembered: dict[str, bytes] = {}
    stopped: bool = False


class GapRecord(msgspec.Struct, array_like=True):
    """A period of session time without data from the venue, the number of subscribed symbols, and the reason.

    `repaired`: the venue's history of all these symbols has entered the lanes. `unrepaired` is the reason why it has
    not; "" if the desk has no history of the feed.
    """

    from_ns: int
    to_ns: int
    symbols: int
    why: str
    repaired: bool = False
    unrepaired: str = ""


class BarDifference(msgspec.Struct, array_like=True, frozen=True):
    """A field in which a minute of ours differs from the venue's own bar.

    `field` "bar": we have no price in a minute for which the venue has a bar; then `ours` is None.
    """

    symbol: str
    minute_ns: int
    field: str
    ours: float | None
    theirs: float | None


class Decision(msgspec.Struct, array_like=True):
    """An intent and its outcome: the final status of its order, or `refused: <reason>`."""

    intent: Intent
    outcome: str
