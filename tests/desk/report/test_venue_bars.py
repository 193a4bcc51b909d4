from test_run_record import some_stats

from desk.consumer.shard_stats import ShardStats
from desk.model.records import BarDifference
from desk.model.units import MINUTE_NS
from desk.report.report_page import report_html
from desk.report.row_figures import RowFigures
from desk.report.summary import BarDifferenceSection, Summary, VenueBarsSection
from desk.report.venue_bars import figure, venue_bar_warnings, venue_bars
from desk.telemetry.audit import Audit

OPEN_NS = 1_381_152_600 * 1_000_000_000


def difference(minute: int, symbol: str = "A", field: str = "close", ours: float | None = 10.0) -> BarDifference:
    return BarDifference(symbol, OPEN_NS + minute * MINUTE_NS, field, ours, 10.5)


def shard(compared: int, *found: BarDifference) -> ShardStats:
    fields: dict[str, int] = {}
    for each in found:
        fields[each.field] = fields.get(each.field, 0) + 1
    differing = len({(each.symbol, each.minute_ns) for each in found})
    audit = Audit(
        bars_compared=compared,
        bars_equal=compared - differing,
        bars_differing=fields,
        bar_differences=list(found),
    )
    return some_stats(0, audit=audit)


def page_of(bars: VenueBarsSection) -> str:
    summary = Summary(
        run_id="r", plan="p", mode="replay", in_process=True, started_ns=0, ended_ns=1, wall_s=1.0, venue_bars=bars
    )
    return report_html(summary, RowFigures())


def test_the_shards_are_added_up_and_the_first_differences_are_the_first_of_all() -> None:
    late, early = difference(2, "A"), difference(1, "B", "volume")

    found = venue_bars([shard(3, late), shard(5, early)])

    assert (found.compared, found.equal, found.agreement) == (8, 6, 0.75)
    assert found.differing == {"close": 1, "volume": 1}
    assert [each.symbol for each in found.first] == ["B", "A"]


def test_no_more_than_twenty_differences_are_listed() -> None:
    many = [difference(minute) for minute in range(20)]

    assert len(venue_bars([shard(30, *many), shard(30, *many)]).first) == 20


def test_without_bars_of_the_venue_there_is_no_agreement_and_nothing_to_say() -> None:
    found = venue_bars([shard(0)])

    assert found == VenueBarsSection()
    assert venue_bar_warnings([shard(0)]) == []
    assert "Bars against" not in page_of(found)


def test_equal_minutes_are_no_warning_and_one_line_of_the_page() -> None:
    assert venue_bar_warnings([shard(4)]) == []
    assert "4 of 4 minutes are equal in every field: 100%" in page_of(venue_bars([shard(4)]))


def test_a_difference_is_a_warning_and_a_row_of_the_page() -> None:
    shards = [shard(1_500, difference(0), difference(0, field="bar", ours=None))]

    (line,) = venue_bar_warnings(shards)
    page = page_of(venue_bars(shards))

    assert line == (
        "1 of 1,500 minutes differ from the venue's own bars (bar 1, close 1); the first: A 2013-10-07 09:30:00, "
        "close: ours 10, the venue's 10.5"
    )
    assert "<td>none</td><td>10.5</td>" in page


def test_what_is_no_number_is_null() -> None:
    found = venue_bars([shard(1, difference(0, field="vwap", ours=float("nan")))])

    assert found.first == [BarDifferenceSection("A", OPEN_NS, "vwap", None, 10.5)]


def test_figures_are_short() -> None:
    assert [figure(value) for value in (None, 3.0, 1_234_567.0, 10.123456789)] == ["none", "3", "1,234,567", "10.1235"]
