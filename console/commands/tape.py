"""`desk tape info`: print the facts of a tape.

Tests: tests/console/test_console_cli.py
"""

from typing import Final

from rich.console import Console

from console.display.terminal import line
from console.display.two_columns import Facts, fact_table
from desk.tape.info import TapeInfo, tape_info
from desk.telemetry import formatting

SYMBOLS_SHOWN: Final = 20


def print_tape_info(place: str, console: Console) -> None:
    """Print the facts of the tape at a path or URL. Raises TapeError, and CredentialsError for a URL."""
    facts = tape_facts(tape_info(place))
    console.print(line(place, style="bold"), soft_wrap=True)
    console.print(fact_table(facts))


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
