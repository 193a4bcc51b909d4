"""The files of a started run name tape and results as the plan does."""

from pathlib import Path

from day_tapes import a_tape, row

from desk.config import Plan
from desk.process.clock import SystemClock
from desk.runs import RunFolder
from desk.wiring.markets import market_source
from desk.wiring.run_start import start_run


def test_urls_stay_what_they_are(tmp_path: Path) -> None:
    url = a_tape(tmp_path / "day.parquet", row("2024-03-05 15:00")).as_uri()
    tables = {
        "session": {"name": "day"},
        "feed": {"kind": "tape", "path": url},
        "results": {"url": "s3://bucket/runs"},
    }
    plan = Plan.model_validate(tables)
    folder = RunFolder.create(tmp_path, None, "day", 0)

    start_run(plan, market_source(plan), folder, None, SystemClock(), in_process=True)

    left = Plan.model_validate(folder.resume.read().plan)
    assert left.feed.path == url
    assert left.results.url == folder.results_url == "s3://bucket/runs"
    folder.resume.release()
