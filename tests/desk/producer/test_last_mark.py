"""The end of a session in lockstep: the orders of the last mark are decided once, together with the close."""

import pytest
from crashing_desk import PRODUCER, CrashSimulation, Death, DeskSetup, Move, differences
from pipeline_parts import NO_PARAMS, MemoryDesk, Row, Rows

from desk import strategy
from desk.consumer.engine import StrategyEntry
from desk.trading.risk_limits import RiskLimits

SYMBOLS = ("A", "B", "C", "D")
TAPE = Rows([Row(2.5, "C", "quote", size=1.0)], SYMBOLS)


class Filled(strategy.Strategy):
    """At the last mark orders one that rests until the close, and one that fills in part at once."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.open_at_fill: list[tuple[str, ...]] = []

    def on_second(self, ctx: strategy.Context) -> None:
        if ctx.quote is not None:
            ctx.buy(1, limit=5.0)
            ctx.sell(6)

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        self.open_at_fill.append(ctx.open_orders)


ENTRIES = [StrategyEntry("p", lambda: Filled(NO_PARAMS))]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_slot_that_moves_at_the_last_mark_does_not_show(symbol: str) -> None:
    desk = DeskSetup(SYMBOLS, TAPE, strategies=ENTRIES, shards=2)
    still = CrashSimulation(desk).play()

    for to in (0, 1):
        moved = CrashSimulation(desk, (), [Move(2, symbol, to)]).play()

        assert differences(still.results(), moved.results()) == {}
    assert [found[0]["open_at_fill"] for found in still.strategies().values()].count([("day-p-C-2",)]) == 1


@pytest.mark.parametrize("shards", [1, 2])
def test_a_checkpoint_at_the_last_mark_does_not_show(shards: int) -> None:
    def play_desk(checkpoint_s: float) -> list[object]:
        desk = MemoryDesk(TAPE, SYMBOLS, strategies=ENTRIES, shards=shards, checkpoint_s=checkpoint_s).play()
        engines = [shard.engine for shard in desk.consumers.values()]
        seats = [seat for engine in engines for state in engine.symbols.values() for seat in state.instances]
        return [desk.book.events, [vars(seat.strategy)["open_at_fill"] for seat in seats]]

    assert play_desk(0.0) == play_desk(1e6)


class Greedy(strategy.Strategy):
    """Buys more with every fill: at the close all symbols want what is left of the account's limit."""

    def on_second(self, ctx: strategy.Context) -> None:
        if ctx.quote is not None:
            ctx.buy(3)

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        ctx.buy(1)


def test_the_rounds_of_a_close_are_the_same_whenever_a_producer_dies_between_them() -> None:
    desk = DeskSetup(
        SYMBOLS,
        Rows([Row(2.5, symbol, "quote") for symbol in SYMBOLS], SYMBOLS),
        strategies=[StrategyEntry("g", lambda: Greedy(NO_PARAMS))],
        shards=3,
        checkpoint_s=1e6,
        limits=RiskLimits(max_gross_notional=145.0),
    )
    lived = CrashSimulation(desk).play()

    for after in range(100, lived.steps, 3):
        died = CrashSimulation(desk, [Death(after, PRODUCER)]).play()

        assert differences(lived.results(), died.results()) == {}
    assert sum(decision.outcome.startswith("refused") for decision in lived.ledger.decisions()) > 1
