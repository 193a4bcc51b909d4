"""The study of a plan: its market and its costs, measured, and the advice that follows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time
from pathlib import Path
from typing import Final

import msgspec

from desk.config import Plan
from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.model.blocks import Block, BlockSource
from desk.model.errors import PlanError
from desk.model.session import Session
from desk.model.units import SECOND_NS, floor_to
from desk.process.clock import SystemClock
from desk.tuning.advice import Advice, AdviceBounds, Costs, advise
from desk.tuning.market_excerpt import EXCERPT_TICKS, MarketExcerpt, chosen_symbols, market_load
from desk.tuning.market_load import MarketLoad, RowFilter
from desk.tuning.past_run import PastRun, read_run
from desk.tuning.trial import MeasuredCosts, measure_costs
from desk.wiring.exchange_days import ExchangeDays, exchange_ns
from desk.wiring.markets import market_source, session_source
from desk.wiring.plan_session import derive_session

STAND_IN_DAY: Final = date(2026, 1, 5)
STAND_IN_START: Final = time(9, 30)
STAND_IN_LEAST_S: Final = 10
STAND_IN_MOST_S: Final = 120


class TuningStudy(msgspec.Struct, frozen=True, kw_only=True):
    """The result. `costs` are the measured ones, or the real cost of the run's producer.

    `picked` symbols replace the choice of scanners. `stand_in`: costs are of a made-up market with the run's symbols.
    """

    load: MarketLoad
    measured: MeasuredCosts
    costs: Costs
    advice: Advice
    safety: float
    picked: int = 0
    stand_in: bool = False
    run_producer_us: float | None = None


def study_plan(plan: Plan, window_s: float, safety: float, run_dir: Path | None = None) -> TuningStudy:
    """Measure and advise; needs some seconds. Raises PlanError, TapeError, RunFolderError, StrategyError."""
    run = None if run_dir is None else read_run(run_dir, window_s)
    source = market_source(plan)
    if source is None:
        return _of_live(plan, window_s, safety, run)
    session = derive_session(plan, source, SystemClock())
    source = session_source(source, session)
    always, picked = chosen_symbols(plan, session, source)
    channels = frozenset(plan.feed.channels)
    wanted = RowFilter(always | picked, channels, session.start_ns, session.stop_ns)
    load, excerpt = market_load(source, wanted, window_s)
    tried = tried_plan(plan, picked)
    measured = measure_costs(tried, excerpt_session(session, source, excerpt, wanted.symbols), source, excerpt)
    return _advised(plan, load, measured, safety, run, picked=len(picked))


def _of_live(plan: Plan, window_s: float, safety: float, run: PastRun | None) -> TuningStudy:
    """Study a live stream, with the market of a run and the costs of a made-up one."""
    if run is None:
        raise PlanError(
            "[feed] kind",
            f'`"{plan.feed.kind}"`, a live stream, whose market is not known in advance',
            "a market that can be replayed, or a run on this one",
            "Give the folder of a run of this plan, finished or under way, with --from-run DIR; or tune a tape's plan.",
        )
    named = {symbol for entry in plan.strategies for symbol in entry.symbols if symbol != "*"}
    source = StandInMarket(plan, run.load, frozenset(run.load.by_symbol) | named)
    timeless = plan.session.model_copy(update={"start": "", "stop": "", "clock": "real"})
    made_up = plan.feed.model_copy(update={"kind": "synthetic"})
    played = plan.model_copy(update={"session": timeless, "feed": made_up})
    session = derive_session(played, source, SystemClock())
    wanted = RowFilter(frozenset(run.load.by_symbol), frozenset(plan.feed.channels), session.start_ns)
    _, excerpt = market_load(source, wanted, window_s)
    session = excerpt_session(session, source, excerpt, wanted.symbols)
    measured = measure_costs(tried_plan(played, frozenset()), session, source, excerpt)
    return _advised(plan, run.load, measured, safety, run, stand_in=True)


def tried_plan(plan: Plan, picked: frozenset[str]) -> Plan:
    """The plan of a trial: at full speed, in one shard, with the symbols `picked` instead of scanners."""
    strategies = tuple(
        entry.model_copy(update={"scanner": "", "symbols": tuple(sorted(picked))}) if entry.scanner else entry
        for entry in plan.strategies
    )
    return plan.model_copy(
        update={
            "feed": plan.feed.model_copy(update={"speed": "max"}),
            "consumers": plan.consumers.model_copy(update={"count": 1}),
            "scanners": (),
            "strategies": strategies,
        }
    )


def excerpt_session(session: Session, source: BlockSource, excerpt: MarketExcerpt, symbols: frozenset[str]) -> Session:
    """The session cut to the excerpt, with all of these symbols subscribed, without lockstep."""
    return msgspec.structs.replace(
        session,
        start_ns=excerpt.start_ns,
        stop_ns=None,
        end_ns=excerpt.end_ns,
        always=tuple(sorted(symbols)),
        history=excerpt.start_ns > floor_to(source.start_ns, SECOND_NS),
        lockstep=False,
    )


class StandInMarket:
    """A made-up market with the symbols and the rate of a run's: a `BlockSource`."""

    def __init__(self, plan: Plan, load: MarketLoad, symbols: frozenset[str]) -> None:
        per_s = max(load.burst.per_s, 1.0)
        start_ns = exchange_ns(STAND_IN_DAY, STAND_IN_START, ExchangeDays(plan.session.calendar).zone)
        seconds = round(min(max(EXCERPT_TICKS / per_s, STAND_IN_LEAST_S), STAND_IN_MOST_S))
        self._market = SyntheticMarket(
            SyntheticConfig(
                seed=1, symbols=len(symbols), events_per_s=per_s, start_ns=start_ns, duration_s=seconds, bursts=False
            )
        )
        self.place = "a made-up market"
        self.symbols = tuple(sorted(symbols, key=lambda symbol: (-load.by_symbol.get(symbol, 0), symbol)))
        self.start_ns, self.end_ns = self._market.start_ns, self._market.end_ns

    def blocks(self) -> Iterator[Block]:
        """The made-up rows with the run's symbols, matched by activity."""
        for block in self._market.blocks():
            yield replace(block, symbols=self.symbols)


def _advised(
    plan: Plan,
    load: MarketLoad,
    measured: MeasuredCosts,
    safety: float,
    run: PastRun | None,
    *,
    picked: int = 0,
    stand_in: bool = False,
) -> TuningStudy:
    run_producer_us = None if run is None else run.producer_us
    load = load if run is None else run.load
    costs = measured.costs
    if run_producer_us is not None:
        costs = msgspec.structs.replace(costs, producer_us=max(costs.producer_us, run_producer_us))
    return TuningStudy(
        load=load,
        measured=measured,
        costs=costs,
        advice=advise(load, costs, AdviceBounds(plan.consumers.max, safety)),
        safety=safety,
        picked=picked,
        stand_in=stand_in,
        run_producer_us=run_producer_us,
    )
