"""`desk tune`: recommend the sizes of a plan's lanes for its market, with the arithmetic."""

import os
from pathlib import Path
from typing import Final

from rich.console import Console

from console.display.terminal import line
from console.display.two_columns import Facts, fact_table
from console.plan_classes import load_classes
from desk.config import load_plan, load_settings
from desk.model.errors import PlanError
from desk.telemetry import formatting
from desk.tuning.advice import CALL_MS, CALLS_SHARE, ROUND_TRIP_MS, TARGET_BUSY
from desk.tuning.ceilings import ceilings, concerns, producer_busy, shard_busy
from desk.tuning.study import TuningStudy, study_plan

LEAST_BURST_S: Final = 0.1
MOST_BURST_S: Final = 3600.0


def tune_plan(path: Path, burst_s: float, safety: float, run_dir: Path | None, console: Console) -> None:
    """Measure the plan's market and costs, and print the advice. Raises DeskError."""
    _require("--burst-seconds", burst_s, LEAST_BURST_S, MOST_BURST_S)
    _require("--safety", safety, 1.0, 100.0)
    plan = load_plan(path, load_settings())
    load_classes(path, plan)
    found = study_plan(plan, burst_s, safety, run_dir)
    console.print(line(f"{plan.session.name}, a burst of {burst_s:g} s", style="bold"))
    for facts in (_market(found), _costs(found), _advice(found, plan.consumers.max), _limits(found)):
        console.print(fact_table(facts))
        console.print()
    console.print(snippet(found), soft_wrap=True)


def snippet(found: TuningStudy) -> str:
    """The advice as lines of a tradeplan."""
    advice = found.advice
    return "\n".join(
        [
            "[consumers]",
            f"count = {advice.consumers}",
            "",
            "[flow]",
            f"capacity = {advice.capacity}",
            f"window = {advice.window}",
            f"linger_ms = {advice.linger.value_ms}",
            f"lag_threshold = {advice.capacity // 2}",
        ]
    )


def _market(found: TuningStudy) -> Facts:
    load = found.load
    ticks, span = formatting.count(load.ticks), formatting.duration(load.span_s)
    facts = [
        ("market", load.place),
        ("ticks", f"{ticks} in {span}, {load.mean_per_s:,.1f}/s on average"),
        ("symbols", _symbols(found)),
    ]
    if load.assumed:
        facts.append(("assumed", load.assumed))
    return [
        *facts,
        ("burst", f"{load.burst.per_s:,.0f}/s in the busiest {load.window_s:g} s, {_at(load.burst.start_ns)}"),
        ("peak", f"{load.second.per_s:,.0f}/s in the busiest second, {_at(load.second.start_ns)}"),
    ]


def _symbols(found: TuningStudy) -> str:
    ticking = sum(count > 0 for count in found.load.by_symbol.values())
    text = f"{formatting.count(len(found.load.by_symbol))}, {formatting.count(ticking)} of them tick in the burst"
    if found.picked:
        text += f"; the {found.picked} most active stand for the picks of scanners"
    return text


def _costs(found: TuningStudy) -> Facts:
    measured, costs = found.measured, found.costs
    where = "a made-up market under the run's names" if found.stand_in else "the market's busiest stretch"
    on = (
        f"{formatting.count(measured.ticks)} ticks, {measured.seconds} s, {formatting.some(measured.symbols, 'symbol')}"
    )
    facts = [
        ("measured on", f"{where}: {on}; CPU of one core here, in this process"),
        ("producer", f"{measured.costs.producer_us:.2f} µs per tick: read, route, encode"),
        ("shard", f"{costs.shard_us:.2f} µs per tick: decode, apply; {costs.tick_bytes:.0f} bytes per tick in a batch"),
        ("strategies", f"{costs.strategy_us:.2f} µs per symbol and session second (with them, less without)"),
        ("calls", f"{CALL_MS} ms (0.3 to 0.6) per batch on each side, for any size: a known figure, not measured now"),
    ]
    if found.run_producer_us is not None:
        in_run = f"{found.run_producer_us:.2f} µs per tick in that run, calls and start-up included"
        facts.insert(2, ("", f"{in_run}; the greater of the two is used"))
    if measured.stopped:
        facts.append(("", f"strategies raised and were stopped {measured.stopped} times: the measured cost is too low"))
    return facts


def _advice(found: TuningStudy, most: int) -> Facts:
    load, costs, advice = found.load, found.costs, found.advice
    symbols, busiest, linger = len(load.by_symbol), advice.busiest, advice.linger
    rate = f"{load.burst.per_s:,.0f}/s"
    lane_rate = load.burst.per_s * busiest.share
    full_batch = formatting.count(advice.batch_ticks)
    return [
        ("consumers", f"({rate} x {costs.shard_us:.2f} µs + {symbols} x {costs.strategy_us:.2f} µs) / {TARGET_BUSY}"),
        ("", f"= {advice.work:.3f} cores / {TARGET_BUSY} -> {advice.needed}, at most {most} -> {advice.consumers}"),
        (
            "capacity",
            f"{load.window_s:g} s x {rate} x {busiest.share:.3f} (share of the busiest lane) x {found.safety:g}",
        ),
        ("", f"= {load.window_s * lane_rate * found.safety:,.0f} -> {formatting.count(advice.capacity)}"),
        ("linger", f"{_least('producer', linger.producer_ms)}: {_producer_linger(found)}"),
        ("", f"{_least('shard', linger.shard_ms)}: calls take at most {CALLS_SHARE:.0%} of the busiest shard"),
        (
            "",
            f"at most {linger.most_ms:,.1f} ms: {full_batch} ticks of a full batch / lane's rate",
        ),
        ("", f"-> {linger.value_ms} ms: the longest wait of a tick in the lane at low load"),
        ("window", f"2 x ceil({ROUND_TRIP_MS:g} ms round trip / {linger.value_ms} ms), at least 4 -> {advice.window}"),
        ("busy", f"producer {producer_busy(load, advice):.0%}, busiest shard {shard_busy(load, costs, advice):.0%}"),
    ]


def _least(side: str, linger_ms: float) -> str:
    return f"{side} ≥ {linger_ms:,.1f} ms"


def _producer_linger(found: TuningStudy) -> str:
    advice = found.advice
    if not advice.linger.producer_ms:
        return "so few ticks that one call per tick is cheap enough"
    return f"{advice.consumers} x {CALL_MS} ms / ({TARGET_BUSY} - {advice.producer_work:.3f} for the ticks)"


def _limits(found: TuningStudy) -> Facts:
    load, costs, advice = found.load, found.costs, found.advice
    facts = []
    for number, ceiling in enumerate(ceilings(load, costs, advice)):
        limit = (
            f"{ceiling.part}, at {formatting.rate(ceiling.per_s)}, {ceiling.per_s / load.burst.per_s:,.1f} x the burst"
        )
        facts.append(("limits first" if not number else "then", limit))
    facts += [("concern", concern) for concern in concerns(load, costs, advice, os.cpu_count() or 1)]
    return facts


def _at(time_ns: int) -> str:
    return f"{formatting.exchange_time(time_ns)} exchange time"


def _require(option: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise PlanError(option, f"`{value:g}`", f"a number from {least:g} to {most:g}", f"Correct {option}.")
