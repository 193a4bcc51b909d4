import pytest

from desk.bars.venue_comparison import venue_differences
from desk.model.bars import Bar
from desk.model.notices import VenueBar
from desk.model.records import BarDifference
from desk.model.units import MINUTE_NS

OURS = Bar("A", MINUTE_NS, 10.0, 11.0, 9.0, 10.5, 300.0, 3_010.01, 3, MINUTE_NS, 1, MINUTE_NS + 5, 3, "complete")
NAN = float("nan")


def theirs(volume: float = 300.0, trades: int = -1, vwap: float = NAN, close: float = 10.5) -> VenueBar:
    return VenueBar(9, "A", MINUTE_NS, 0, 10.0, 11.0, 9.0, close, volume, trades, vwap)


def fields(bar: VenueBar) -> list[str]:
    return [difference.field for difference in venue_differences(OURS, bar)]


def test_equal_bars_do_not_differ() -> None:
    assert fields(theirs(trades=3, vwap=OURS.vwap)) == []


@pytest.mark.parametrize("digits", [4, 6])
def test_the_rounding_of_a_vwap_is_no_difference(digits: int) -> None:
    assert fields(theirs(vwap=round(OURS.vwap, digits))) == []
    assert fields(theirs(vwap=OURS.vwap + 0.0001)) == ["vwap"]


def test_what_the_venue_does_not_say_is_not_compared() -> None:
    assert fields(theirs()) == []
    assert fields(theirs(trades=4)) == ["trades"]


def test_a_difference_has_both_values() -> None:
    assert venue_differences(OURS, theirs(301.0, close=10.51)) == [
        BarDifference("A", MINUTE_NS, "close", 10.5, 10.51),
        BarDifference("A", MINUTE_NS, "volume", 300.0, 301.0),
    ]


@pytest.mark.parametrize("ours", [None, Bar("A", MINUTE_NS, volume=5.0)])
def test_a_minute_without_a_price_of_ours_differs_as_a_whole(ours: Bar | None) -> None:
    assert venue_differences(ours, theirs()) == [BarDifference("A", MINUTE_NS, "bar", None, 10.5)]
