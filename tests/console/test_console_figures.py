from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from console.display.figures import print_figures, verdict
from desk.report.summary import ClassCounts, Summary, TicksSection


def printed(summary: Summary, width: int) -> str:
    console = Console(file=StringIO(), width=width)
    print_figures(console, summary)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 160])
def test_the_figures_of_a_run_are_all_there(finished_run: Summary, width: int) -> None:
    text = printed(finished_run, width)

    for told in (
        "opening-range", "1 consumer", "3 min 12 s", "221,347,000", "1,000,000,000", "balanced", "9.25 ms", "shard 0",
        "1,121,346,990", "produced 183k/s", "bars       1,560", "decisions  5", "4 submitted, 3 filled", "net +117.50",
        "1, 1 of them not repaired",
    ):  # fmt: skip
        assert told in text
    assert "…" not in text


def test_rare_columns_appear_when_they_hold_something(finished_run: Summary) -> None:
    finished_run.ticks.quotes.skipped = 77

    text = printed(finished_run, 120)

    assert "skipped" in text
    assert "backfilled" not in text


def test_an_imbalance_and_a_problem_are_reported(finished_run: Summary) -> None:
    ticks = TicksSection(trades=ClassCounts(received=10, applied=8))
    summary = msgspec.structs.replace(finished_run, ticks=ticks, problems=["[range] was stopped"]).judged()

    text = printed(summary, 80)

    assert "+2" in text
    assert "! [range] was stopped" in text


def test_the_last_line_names_the_verdict_the_balance_and_the_folder(finished_run: Summary) -> None:
    stopped = msgspec.structs.replace(finished_run, problems=["range was stopped"]).judged()
    unbalanced = msgspec.structs.replace(finished_run, ticks=TicksSection(trades=ClassCounts(received=1))).judged()
    folder = Path("runs/x")

    assert verdict(finished_run, folder) == "ok · balanced · runs/x"
    assert verdict(stopped, folder) == "complete with 1 problem · balanced · runs/x"
    assert verdict(unbalanced, folder) == "failed · not balanced · runs/x"
    assert verdict(finished_run.judged(failed=True), folder) == "failed · balanced · runs/x"
