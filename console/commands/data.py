"""`desk data`: history in a catalog on this machine.

Tests: tests/console/test_console_data.py
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from console.display.terminal import line
from desk.config import Plan, load_plan, load_settings
from desk.files.data_folder import data_folder
from desk.model.errors import PlanError
from desk.tape.catalog import KINDS, Catalog, CatalogFile
from desk.telemetry import formatting
from desk.venues.api_keys import api_keys
from desk.venues.feed_factory import LiveFactory
from desk.venues.registry import feed_factory
from desk.wiring.data_download import download, gaps, trading_days
from desk.wiring.exchange_days import ExchangeDays

SHOWN: Final = 8


def get_history(
    symbols: Sequence[str], from_day: str, to_day: str, plan_path: Path | None, console: Console, *, trades: bool
) -> None:
    """Fetch minute bars, and trades if wanted, into the catalog. Raises DeskError."""
    plan = _plan(plan_path)
    factory, keys = feed_factory(plan), api_keys(plan)
    history = factory.history(plan, keys) if isinstance(factory, LiveFactory) else None
    if history is None:
        place = f'[feed] kind = "{plan.feed.kind}"'
        raise PlanError(place, "a feed without history", "a live feed whose vendor has history", "Name another plan.")
    days = ExchangeDays(plan.session.calendar)
    wanted = trading_days(days, _day("--from", from_day), _day("--to", to_day))
    catalog, source = _catalog(), source_of(plan)
    steps = download(
        history, catalog, source, sorted(set(symbols)), list(wanted), KINDS if trades else ("bars",), time.time_ns()
    )
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        for step in steps:
            progress.update(task, description=step.text, completed=step.done, total=step.total)
    done = formatting.some(step.total, "file")
    console.print(line(f"{done} of {source} in {catalog.folder}"), soft_wrap=True)


def list_history(console: Console) -> None:
    """Print what the catalog has, by source, kind and symbol. Raises TapeError."""
    by_symbol: defaultdict[tuple[str, str, str], list[CatalogFile]] = defaultdict(list)
    catalog = _catalog()
    for file in catalog.files():
        by_symbol[file.source, file.kind, file.symbol].append(file)
    if not by_symbol:
        console.print(line(f"nothing in {catalog.folder}"), soft_wrap=True)
        return
    table = Table("source", "kind", "symbol", "first day", "last day")
    for heading in ("days", "rows"):
        table.add_column(heading, justify="right")
    for key, files in sorted(by_symbol.items()):
        rows = sum(file.rows for file in files)
        span = files[0].day.isoformat(), files[-1].day.isoformat()
        table.add_row(*key, *span, formatting.count(len(files)), formatting.count(rows))
    console.print(table)


def list_gaps(calendar: str, console: Console) -> None:
    """Print the trading days that are missing or empty. Raises PlanError, TapeError."""
    none = True
    for source, kind, symbol, missing, empty in gaps(_catalog(), ExchangeDays(calendar)):
        none = False
        for what, days in (("missing", missing), ("no rows", empty)):
            if days:
                names = formatting.names([day.isoformat() for day in days], SHOWN)
                console.print(line(f"{source} {kind} {symbol}: {what} {names}"), soft_wrap=True)
    if none:
        console.print(line("no gaps"))


def source_of(plan: Plan) -> str:
    """The name of the plan's history in the catalog: vendor and feed."""
    return f"{plan.feed.kind}-{plan.feed.feed_name}" if plan.feed.feed_name else plan.feed.kind


def _plan(path: Path | None) -> Plan:
    if path is not None:
        return load_plan(path)
    return Plan.model_validate({"session": {"name": "data", "mode": "paper"}, "feed": {"kind": "alpaca"}})


def _catalog() -> Catalog:
    try:
        return Catalog(data_folder(load_settings()))
    except RuntimeError as error:
        raise PlanError("environment", f"no home folder: {error}", "RAYDESK_DATA_DIR", "Set it.") from error


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise PlanError(option, f"`{text}`", "a date, as 2026-01-05", "Correct it.") from None
