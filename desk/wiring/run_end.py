"""Writes the files of a finished run to the run folder, and copies them to [results] url.

Tests: tests/desk/inprocess/test_in_process_desk.py
"""

import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from desk.config import Plan
from desk.config.redaction import SecretFilter
from desk.consumer.shard_stats import ShardStats
from desk.files.atomic import unwritable
from desk.ledger.ledger_copy import copy_ledger
from desk.model.bars import Bar
from desk.model.errors import DeskError, TapeError
from desk.model.log_line import LogLine
from desk.model.plain_text import one_line
from desk.model.records import Decision
from desk.model.session import Session
from desk.orders import OrderSummary
from desk.process.signals import StopSignals
from desk.report.report_page import report_html
from desk.report.row_figures import RowFigures
from desk.report.run_record import FeedRecord, ProcessUsage, RunRecord, summarize_run
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.runs.log_file import LogFile
from desk.runs.results_copy import copy_results
from desk.tape.recorded_ticks import recorded_rows, write_recorded_tape
from desk.telemetry import formatting
from desk.telemetry.readings import Readings

LOG: Final = "raydesk"


class RunTimes(msgspec.Struct, frozen=True):
    """When the run was first started, and when this process started and stopped the session; in ns."""

    started_ns: int
    began_ns: int
    ended_ns: int


def run_record(
    plan: Plan,
    session: Session,
    folder: RunFolder,
    times: RunTimes,
    feed: FeedRecord,
    shards: list[ShardStats],
    consumers: list[ProcessUsage],
    producer: ProcessUsage,
    orders: OrderSummary,
    problems: list[str],
    notices: list[str],
    *,
    in_process: bool,
    restarts: dict[int, int] | None = None,
) -> RunRecord:
    """Collect the figures of all processes in one record."""
    return RunRecord(
        run_id=folder.dir.name,
        plan=plan.session.name,
        mode=plan.session.mode,
        in_process=in_process,
        session=session,
        started_ns=times.started_ns,
        ended_ns=times.ended_ns,
        play_ns=times.ended_ns - times.began_ns,
        feed=feed,
        shards=shards,
        consumers=consumers,
        producer=producer,
        orders=orders,
        problems=problems,
        feed_kind=plan.feed.kind,
        feed_name=plan.feed.feed_name,
        entitlement=plan.feed.entitlement,
        delay_s=plan.feed.delay_s,
        restarts=restarts or {},
        notices=[*folder.remarks, *notices],
    )


def write_results(
    folder: RunFolder, record: RunRecord, bars: Callable[[], Iterable[Bar]], decisions: list[Decision]
) -> Summary:
    """Write the run's files and return its summary; `bars` may be called more than once. Raises RunFailed.

    The files of a run that did not fail are copied to `folder.results_url`. If the copy fails, the run folder still has
    them: the summary gets a warning, and the log and stderr an error.
    """
    record.notices = [*record.notices, *make_tape(folder, record.feed), *log_faults()]
    record.bars = folder.write_bars(bars(), _feed_metadata(record))
    record.decisions = folder.write_decisions(decisions)
    summary = summarize_run(record)
    folder.write_report(report_html(summary, RowFigures.of(bars(), decisions)))
    folder.write_summary(summary.builtins())
    if record.failed or not folder.results_url:
        return summary
    try:
        url = _copy(folder)
    except (DeskError, OSError) as fault:
        message = f"the results could not be copied; they are in {folder.dir}: {fault}"
        logging.getLogger(LOG).error("%s", message)  # noqa: TRY400 - the message has all details
        sys.stderr.write(f"error: {one_line(message)}\n")
        record.notices = [*record.notices, message]
        summary = summarize_run(record)
        folder.write_summary(summary.builtins())
        return summary
    logging.getLogger(LOG).info("results copied to %s", url)
    return summary


def make_tape(folder: RunFolder, feed: FeedRecord) -> list[str]:
    """Make the run's tape, if its ticks were recorded; return what is wrong with it, if anything.

    If it cannot be made, the log of ticks stays. A producer that dies loses the ticks of its last second on it.
    """
    try:
        if not write_recorded_tape(folder.tape):
            return []
        rows = recorded_rows(folder.tape)
    except TapeError as fault:
        return [f"the tape was not made: {fault}"]
    logging.getLogger(LOG).info("tape of %s: %s", folder.tape, formatting.some(rows, "row"))
    rejected = sum(sum(causes.values()) for causes in feed.rejected.values())
    missing = sum(feed.received.values()) - rejected - rows
    absent = formatting.some(missing, "received tick")
    return [f"a producer died, and the tape lacks {absent} of its last second"] if missing > 0 else []


def _feed_metadata(record: RunRecord) -> dict[str, str]:
    """The metadata of bars.parquet: the feed that the bars are of."""
    return {
        "raydesk.feed.kind": record.feed_kind,
        "raydesk.feed.name": record.feed_name,
        "raydesk.feed.entitlement": record.entitlement,
        "raydesk.feed.delay_s": f"{record.delay_s:g}",
    }


def log_files() -> list[LogFile]:
    """The files of the run's log: one, or none before `open_log`."""
    return [handler for handler in logging.getLogger(LOG).handlers if isinstance(handler, LogFile)]


def flush_log() -> None:
    """Wait until the lines so far are written, for at most `log_file.FLUSH_S`."""
    for file in log_files():
        file.flush()


def log_faults() -> list[str]:
    """Faults in writing the run's log so far."""
    flush_log()
    return [file.fault for file in log_files() if file.fault]


def measure_log(readings: Readings) -> None:
    """Add the metrics of the run's log."""
    for file in log_files():
        readings.record("log.write", file.writes.durations.snapshot())
        for cause, lines in file.dropped.items():
            readings.count("log.dropped", lines, cause=cause)


def open_log(folder: RunFolder) -> logging.Logger:
    """Open the run's log, desk.log, and log the notes on the plan. Raises RunFailed.

    Its lines are flushed at the process's end, also if a signal ends the process at once.
    """
    log = logging.getLogger(LOG)
    for handler in log.handlers[:]:
        log.removeHandler(handler)
        handler.close()
    try:
        handler = LogFile(folder.log)
    except OSError as error:
        raise unwritable(folder.log, error) from error
    handler.setFormatter(LogLine(SecretFilter.of_environment().hide))
    if StopSignals.current is not None:
        StopSignals.current.on_sudden_end(handler.flush)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    for note in folder.notes:
        log.info("plan: %s", note)
    for remark in folder.remarks:
        log.warning("%s", remark)
    return log


def _copy(folder: RunFolder) -> str:
    """Copy the run's files. Returns the URL of the copy. Raises DeskError, OSError."""
    flush_log()
    files = [folder.bars, folder.decisions, folder.report, folder.log]
    with TemporaryDirectory() as scratch:
        if folder.ledger.exists():
            whole = Path(scratch, folder.ledger.name)
            copy_ledger(folder.ledger, whole)
            files.append(whole)
        return copy_results(folder, [file for file in files if file.exists()])
