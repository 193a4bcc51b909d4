import re
from html.parser import HTMLParser

from desk.model.units import MINUTE_NS
from desk.report.report_page import report_html
from desk.report.row_figures import RowFigures, StrategyFigures
from desk.report.summary import (
    ClassCounts,
    ConsumerSection,
    GapSection,
    LatencySection,
    OrdersSection,
    PnlSection,
    Quantiles,
    Summary,
    TicksSection,
)

OPEN_NS = 1_381_152_600 * 1_000_000_000
VOID = {"meta"}


class Page(HTMLParser):
    """Checks nesting while it collects text and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def a_run(**changes: object) -> Summary:
    figures: dict[str, object] = {
        "run_id": "opening-range-1",
        "plan": "opening-range",
        "mode": "replay",
        "in_process": False,
        "started_ns": OPEN_NS,
        "ended_ns": OPEN_NS + 1,
        "wall_s": 12.5,
        "ticks": TicksSection(
            trades=ClassCounts(received=1_000, applied=990, dropped={"aged": 7}, rejected={"duplicate": 3}),
            quotes=ClassCounts(received=5_000, applied=4_000, conflated=1_000),
        ),
        "latency_ms": LatencySection(time_in_queue=Quantiles(1.5, 4.0, 9.25, 31.0)),
        "consumers": [ConsumerSection(shard=0, pid=4711, node="head", applied=4_990, symbols=3, busy=0.42)],
        "orders": OrdersSection(submitted=4, filled=3, refused_by_risk=1),
        "pnl": PnlSection(realized=120.0, fees=2.5),
    }
    return Summary(**(figures | changes)).judged()  # type: ignore[arg-type]


def figures() -> RowFigures:
    minutes = {OPEN_NS + i * MINUTE_NS: 10 + i for i in range(390)}
    return RowFigures(
        {"complete": 390}, 1, minutes, [StrategyFigures("range", 4, 2, {"filled": 3, "refused: x": 1}, 8.0)]
    )


def test_a_good_run_says_ok_and_shows_its_figures() -> None:
    page = Page(report_html(a_run(), figures()))

    assert "Complete and balanced" in page.text
    for told in ("opening-range", "1,000", "4,990", "9.25 ms", "4711", "+117.50", "390", "09:30:00", "No gaps"):
        assert told in page.text
    assert "trades dropped as aged: 7" in page.text


def test_a_bad_run_says_first_what_is_wrong() -> None:
    summary = a_run(problems=["range was stopped for BAC: it raised ZeroDivisionError"])

    page = Page(report_html(summary, figures()))

    assert "not ok: 1 problem" in page.text
    assert page.text.index("ZeroDivisionError") < page.text.index("backfilled")


def test_the_details_of_a_problem_fold_away() -> None:
    page = Page(report_html(a_run(problems=["range was stopped\nTraceback: <line 3>"]), figures()))

    assert "details" in page.tags
    assert "Traceback: <line 3>" in page.text


def test_a_run_that_broke_off_says_so() -> None:
    page = Page(report_html(a_run().judged(failed=True), figures()))

    assert "The run was aborted before its end." in page.text


def test_an_imbalance_is_named_with_both_sides() -> None:
    summary = a_run(ticks=TicksSection(trades=ClassCounts(received=10, applied=8)))

    page = Page(report_html(summary, figures()))

    assert "The trades do not balance: 10 came in, 8 accounted for." in page.text
    assert "+2 unaccounted" in page.text


def test_a_gap_is_reported_in_exchange_time() -> None:
    summary = a_run(gaps=[GapSection(OPEN_NS, OPEN_NS + 5 * 10**9, 3, "reconnect", repaired=False)])

    page = Page(report_html(summary, figures()))

    assert "2013-10-07 09:30:05" in page.text
    assert "not repaired" in page.text


def test_every_text_of_a_run_is_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    rows = [StrategyFigures(evil, 1, 1, {evil: 1}, 0.0)]
    gap = GapSection(OPEN_NS, OPEN_NS, 1, evil, repaired=True)
    consumer = ConsumerSection(shard=0, pid=1, node=evil)
    ticks = TicksSection(trades=ClassCounts(received=1, dropped={evil: 1}))
    summary = a_run(plan=evil, run_id=evil, problems=[evil], gaps=[gap], consumers=[consumer], ticks=ticks)

    page = Page(report_html(summary, RowFigures(strategies=rows)))

    assert "script" not in page.tags
    assert page.text.count("<script>alert(1)</script>") >= 7


def test_the_page_needs_nothing_from_outside_and_reads_in_light_and_dark() -> None:
    text = report_html(a_run(), figures())

    page = Page(text)

    assert not page.tags & {"script", "link", "img", "iframe"}
    assert not {name for name, _ in page.attributes} & {"src", "href", "onclick"}
    assert not re.search(r"https?://|url\(|@import", text)
    assert "prefers-color-scheme: dark" in text


def test_an_empty_run_has_a_page_too() -> None:
    empty = Summary(run_id="r", plan="p", mode="paper", in_process=True, started_ns=0, ended_ns=0, wall_s=0.0)

    page = Page(report_html(empty.judged(), RowFigures()))

    assert "no minute bars." in page.text
