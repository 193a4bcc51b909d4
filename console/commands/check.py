"""`desk check`: check a plan and everything that it names, then print what would run.

Tests: tests/console/test_console_cli.py
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from console.display.terminal import line
from console.display.two_columns import Facts, fact_table
from console.plan_classes import PlanClasses, load_classes, volume_warnings
from desk.config import ConsumersPlan, Plan, ScannerPlan, StrategyPlan, load_plan, load_settings, override, plan_notes
from desk.loading import StrategyFactory
from desk.loading.fault_messages import safe_repr
from desk.model.blocks import BlockSource
from desk.model.session import Session
from desk.process.clock import SystemClock
from desk.strategy import Params
from desk.telemetry import formatting
from desk.venues.api_keys import api_keys
from desk.venues.feed_factory import LiveFactory, ReplayFactory
from desk.venues.registry import feed_factory
from desk.wiring.exchange_days import ExchangeDays
from desk.wiring.markets import replayed_source
from desk.wiring.plan_session import derive_session, session_bounds

SCANNED: Final = {
    "all": "snapshots of all tradable symbols, one request for each 500",
    "active": "snapshots of the most active symbols, the movers and the subscribed ones",
}
"""What scanners of a live feed see, by [feed] scanned."""


def check_plan(path: Path, console: Console, day: str | None = None) -> None:
    """Check the plan at `path` and print a summary of it. Raises DeskError for the first fault."""
    written = load_plan(path)
    plan = override(written, load_settings(), None, day)
    loaded = load_classes(path, plan)
    facts = [*_market(plan), *_trading(plan, loaded), *_results(plan)]
    console.print(line(plan.session.name, style="bold"))
    console.print(fact_table(facts))
    for warning in volume_warnings(plan, loaded):
        console.print(line(f"warning: {warning}"), soft_wrap=True)
    for note in plan_notes(written, plan):
        console.print(line(f"note: {note}"), soft_wrap=True)
    console.print(line(f"ok · {path}"), soft_wrap=True)


def _market(plan: Plan) -> Facts:
    clock, factory = SystemClock(), feed_factory(plan)
    if isinstance(factory, LiveFactory):
        api_keys(plan)
        return _stream(plan, factory, clock)
    source = replayed_source(plan, factory)
    session = derive_session(plan, source, clock)
    return [*_session(plan, session), *_recording(plan, session, factory, source)]


def _stream(plan: Plan, factory: LiveFactory, clock: SystemClock) -> Facts:
    """Facts about a live stream, without a connection. Raises PlanError if no exchange day has such a session."""
    feed = plan.feed
    start = f"{plan.session.start} exchange time" if plan.session.start else "its start"
    end = f"{plan.session.stop} exchange time" if plan.session.stop else "the exchange day's end"
    days = ExchangeDays(plan.session.calendar)
    day = days.current_or_next(clock.wall_ns())
    session_bounds(plan, days, day)
    hours = f"{days.local(day.hours.start_ns):%H:%M} to {days.local(day.hours.end_ns):%H:%M} ({days.zone})"
    return [
        ("mode", plan.session.mode),
        ("session", f"from {start} until {end}, on {plan.session.clock} time"),
        *([("session", f"now or next: {day.date}, {hours}")] if plan.session.clock == "real" else []),
        ("feed", f"{feed.kind}, {' and '.join(feed.channels)}, {factory.url(plan)}"),
        *([("rest", rest)] if (rest := factory.rest_url(plan)) else []),
        *([("scanned", SCANNED[feed.scanned])] if plan.scanners else []),
        ("data", f"{feed.feed_name}: {feed.entitlement}" if feed.feed_name else feed.entitlement),
        ("credentials", "present"),
        ("symbols", _symbols(feed.symbols)),
    ]


def _session(plan: Plan, session: Session) -> Facts:
    mode = f"{plan.session.mode}, in lockstep" if session.lockstep else plan.session.mode
    end = formatting.exchange_time(session.end_ns) if session.end_ns is not None else "the feed's end"
    outside = sum(session.outside.values())
    return [
        ("mode", mode),
        ("session", f"{formatting.exchange_time(session.start_ns)} to {end}, exchange time"),
        *([("session", f"{formatting.count(outside)} rows outside this exchange day are skipped")] if outside else []),
    ]


def _recording(plan: Plan, session: Session, factory: ReplayFactory, source: BlockSource) -> Facts:
    feed = plan.feed
    speed = "as fast as the consumers can process it" if feed.speed == "max" else f"{feed.speed:g} x real time"
    chosen = _symbols(feed.symbols) or "only the picks of scanners"
    return [
        ("feed", f"{feed.kind}, {' and '.join(feed.channels)}, {speed}"),
        factory.describe(plan, source),
        ("data", f"{formatting.exchange_time(source.start_ns)} to {formatting.exchange_time(source.end_ns)}"),
        ("symbols", f"{chosen}, of {formatting.count(len(session.market))} in the market"),
    ]


def _trading(plan: Plan, loaded: PlanClasses) -> Facts:
    risk = plan.risk
    limits = (
        ("order", risk.max_order_notional),
        ("position", risk.max_position_notional),
        ("gross", risk.max_gross_notional),
        ("daily loss", risk.max_daily_loss),
    )
    strategies = [
        ("strategy", _strategy(entry, factory))
        for entry, factory in zip(plan.strategies, loaded.strategies, strict=True)
    ]
    scanners = [
        ("scanner", _scanner(entry, factory.params))
        for entry, factory in zip(plan.scanners, loaded.scanners, strict=True)
    ]
    return [
        ("consumers", _consumers(plan.consumers)),
        *(strategies or [("strategy", "none")]),
        *(scanners or [("scanner", "none")]),
        *(("risk", f"{name} at most {limit:,.2f}") for name, limit in limits),
        ("risk", f"at most {formatting.count(risk.max_orders_per_minute)} orders per minute"),
        ("risk", _freshness(plan)),
        ("broker", f"{plan.broker.kind}, slippage {plan.broker.slippage_bps:g} bps"),
    ]


def _freshness(plan: Plan) -> str:
    guards = plan.guards
    line = f"no entries on data older than {guards.max_data_latency_s:g} s"
    return f"{line}, or while the feed is down or silent for {guards.feed_timeout_s:g} s" if plan.feed.is_live else line


def _consumers(consumers: ConsumersPlan) -> str:
    if consumers.count:
        return formatting.count(consumers.count)
    return f"chosen by the load, from {formatting.count(consumers.min)} to {formatting.count(consumers.max)}"


def _results(plan: Plan) -> Facts:
    runs = load_settings().runs_dir
    return [
        ("results", f"{runs}/{plan.session.name}-<utc time>/, unless --run-dir names another folder"),
        *([("results", f"copied to {plan.results.url}/<run id>/ at the end")] if plan.results.url else []),
        ("ledger", plan.ledger.url.replace("{run_dir}", "<run folder>")),
    ]


def _strategy(entry: StrategyPlan, factory: StrategyFactory) -> str:
    symbols = f"the picks of scanner {entry.scanner}" if entry.scanner else _symbols(entry.symbols)
    bars = "" if entry.bars == ("1m",) else f", bars of {', '.join(entry.bars)}"
    needs = ", ".join(f"{count:,} x {timeframe}" for timeframe, count in factory.history.items())
    history = f", with history of {needs}" if needs else ""
    return f"{entry.name} = {entry.use}, on {symbols}{bars}{history}{_params(factory.params)}"


def _scanner(entry: ScannerPlan, params: Params) -> str:
    return f"{entry.name} = {entry.use}, every {entry.every_s} s, at most {entry.max_symbols}{_params(params)}"


def _symbols(symbols: Sequence[str]) -> str:
    return "all" if tuple(symbols) == ("*",) else ", ".join(symbols)


def _params(params: Params) -> str:
    return "".join(f", {name} = {safe_repr(value)}" for name, value in msgspec.structs.asdict(params).items())
