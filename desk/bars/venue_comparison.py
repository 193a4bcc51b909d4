"""Our minute bars against the venue's own, field by field.

Prices and volume are equal or not; the venue's vwap is rounded, to four decimals at Polygon and six at Alpaca.

Tests: tests/desk/bars/test_venue_comparison.py
"""

from math import isclose, isnan
from typing import Final

from desk.model.bars import BarFields
from desk.model.notices import VenueBar
from desk.model.records import BarDifference

PRICES: Final = ("open", "high", "low", "close")
VWAP_ROUNDING: Final = 5e-5
_EXACT: Final = 1e-9
"""The rounding of sums of doubles, as a share of the value."""


def venue_differences(ours: BarFields | None, theirs: VenueBar) -> list[BarDifference]:
    """The fields in which a minute differs, in the order of a bar's fields; empty if it is equal.

    A field that the venue does not give is not compared.
    """

    def differing(field: str, own: float | None, other: float) -> BarDifference:
        return BarDifference(theirs.symbol, theirs.ts_ns, field, own, other)

    if ours is None or not ours.priced:
        return [differing("bar", None, theirs.close)]
    found = []
    for field in (*PRICES, "volume"):
        own, other = getattr(ours, field), getattr(theirs, field)
        if not isclose(own, other, rel_tol=_EXACT):
            found.append(differing(field, own, other))
    if not isnan(theirs.vwap) and not isclose(ours.vwap, theirs.vwap, rel_tol=_EXACT, abs_tol=VWAP_ROUNDING):
        found.append(differing("vwap", ours.vwap, theirs.vwap))
    if theirs.trades >= 0 and ours.trades != theirs.trades:
        found.append(differing("trades", float(ours.trades), float(theirs.trades)))
    return found
