"""`desk tape info` prints the facts of a tape; `desk tape record` records one, `desk tape convert` makes one of tables.

Tests: tests/console/test_console_cli.py
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from console.display.terminal import line
from console.display.two_columns import Facts, fact_table
from desk.config import load_plan, load_settings, override
from desk.model.errors import PlanError, TapeError
from desk.ports import Feed
from desk.process.clock import SystemClock
from desk.process.signals import stop_signals
from desk.tape.conversion import ColumnMap, write_converted
from desk.tape.info import TapeInfo, tape_info
from desk.telemetry import formatting
from desk.wiring.tape_recording import feed_notes, record_feed

SYMBOLS_SHOWN: Final = 20
SHOW_S: Final = 0.2


def print_tape_info(place: str, console: Console) -> None:
    """Print the facts of the tape at a path or URL. Raises TapeError, and CredentialsError for a URL."""
    facts = tape_facts(tape_info(place))
    console.print(line(place, style="bold"), soft_wrap=True)
    console.print(fact_table(facts))


def convert_tables(
    files: Sequence[Path], out: Path, maps: Sequence[str], values: Sequence[str], console: Console
) -> None:
    """Make a tape of tables. Raises PlanError, TapeError."""
    columns = ColumnMap.parsed(maps, values)
    _require_new(out)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"converting {len(files)} files", total=1.0)
        rows = write_converted(files, columns, out, lambda done: progress.update(task, completed=done))
    console.print(line(f"{out}: {formatting.some(rows, 'row')}"), soft_wrap=True)


def record_plan(path: Path, out: Path, seconds: float | None, day: str | None, console: Console) -> None:
    """Record the feed of a plan, and print the tape's facts. Raises DeskError."""
    plan = override(load_plan(path), load_settings(), None, day)
    _require_new(out)
    end_s = None if seconds is None else time.monotonic() + seconds
    shown_s = 0.0

    def show(rows: int, feed: Feed) -> None:
        nonlocal shown_s
        for note in feed_notes(feed):
            progress.console.print(line(note), soft_wrap=True)
        if time.monotonic() - shown_s >= SHOW_S:
            shown_s = time.monotonic()
            progress.update(task, description=f"recorded {formatting.some(rows, 'row')}")

    with stop_signals() as signals, _spinner(console) as progress:
        task = progress.add_task("connecting", total=None)

        def stopped() -> bool:
            return signals.received is not None or (end_s is not None and time.monotonic() >= end_s)

        rows = record_feed(plan, out, SystemClock(), stopped, show)
    if not rows:
        raise TapeError(str(out), "nothing was received", "a tick of the plan's symbols", "Check symbols and hours.")
    print_tape_info(str(out), console)


def _spinner(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _require_new(out: Path) -> None:
    if out.exists():
        raise PlanError("--out", f"`{out}`, which exists", "a new file", "Name another, or delete it.")


def tape_facts(tape: TapeInfo) -> Facts:
    """A tape in a dozen lines; times in exchange time."""
    span_s = (tape.end_ns - tape.start_ns) / 1_000_000_000
    rare = (
        ("corrections", tape.corrections),
        ("cancels", tape.cancels),
        ("statuses", tape.statuses),
        ("price bands", tape.bands),
        ("venue bars", tape.bars),
        ("other", tape.other),
    )
    other = "".join(f", {formatting.count(rows)} {kind}" for kind, rows in rare if rows)
    lag = f"median {formatting.milliseconds(tape.median_lag_ms)}, at most {formatting.milliseconds(tape.max_lag_ms)}"
    return [
        ("version", tape.version),
        ("size", f"{tape.bytes / 1e6:,.1f} MB in {formatting.some(tape.files, 'file')}"),
        ("rows", formatting.count(tape.rows)),
        ("of them", f"{formatting.count(tape.trades)} trades, {formatting.count(tape.quotes)} quotes{other}"),
        ("from", f"{formatting.exchange_time(tape.start_ns)} exchange time"),
        ("to", f"{formatting.exchange_time(tape.end_ns)} ({formatting.duration(span_s)})"),
        (
            "busiest",
            f"{formatting.exchange_time(tape.peak_ns)}: {formatting.count(tape.peak_events)} rows in that second",
        ),
        ("received", f"{lag} after the venue's own time"),
        *(("symbols", line) for line in _symbols(tape)),
        *(("note", note) for note in tape.notes),
    ]


def _symbols(tape: TapeInfo) -> list[str]:
    shown = list(tape.symbols.items())[:SYMBOLS_SHOWN]
    lines = [f"{symbol:<8}{formatting.count(rows):>14}" for symbol, rows in shown]
    rest = len(tape.symbols) - len(shown)
    return [*lines, f"and {formatting.count(rest)} more"] if rest else lines
