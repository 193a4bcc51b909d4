"""The end of a run: bars, decisions, summary and report go into the run folder."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from desk.model.bars import Bar
from desk.model.records import Decision
from desk.pipeline.record import RunRecord, summarize
from desk.report.figures import Figures
from desk.report.html import report_html
from desk.report.summary import Summary
from desk.runs import RunFolder


def write_results(
    folder: RunFolder, record: RunRecord, bars: Callable[[], Iterable[Bar]], decisions: list[Decision]
) -> Summary:
    """Write the run's files and give its summary; `bars` may be called more than once. Raises RunFailed."""
    record.bars = folder.write_bars(bars())
    record.decisions = folder.write_decisions(decisions)
    summary = summarize(record)
    folder.report.write_text(report_html(summary, Figures.of(bars(), decisions)), encoding="utf-8")
    folder.write_summary(summary.builtins())
    return summary


def open_log(path: Path) -> logging.Logger:
    """The run's own log, desk.log: what happened, for whoever looks into it later."""
    log = logging.getLogger("raydesk")
    for handler in log.handlers[:]:
        log.removeHandler(handler)
        handler.close()
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    return log
