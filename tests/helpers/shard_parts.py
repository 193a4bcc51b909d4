"""One shard without producer and lanes: its strategies, its ports, and a random session to play to it."""

from random import Random
from typing import Any, NamedTuple

from memory_ledger import MemoryLedger
from pipeline_parts import StepClock

from desk import strategy
from desk.consumer.engine import Engine, EngineConfig, StrategyEntry
from desk.consumer.shard import Shard, ShardConfig
from desk.model.items import GapItem, Item, LostTrades, Mark, Stop, Unwatch, Watch
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.orders import Request
from desk.model.ticks import Cancel, Correction, Quote, Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.orders import OrderManager
from desk.ports import CheckpointWriter, ShardBroker
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.simulated import SimulatedVenue

START_NS = 1_000 * MINUTE_NS
NO_PARAMS = strategy.Params()
SYMBOLS = ("A", "B", "C")


def at(seconds: float) -> int:
    return START_NS + round(seconds * SECOND_NS)


class RecordingBroker:
    """A broker that records requests and decides nothing."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def submit(self, request: Request) -> None:
        self.requests.append(request)

    def unanswered(self) -> list[Request]:
        return []


def a_manager(book: MemoryLedger) -> OrderManager:
    limits = RiskLimits(max_order_notional=80.0, max_position_notional=150.0)
    return OrderManager("day", RiskGate(limits), book, SimulatedVenue())


class RandomStrategy(strategy.Strategy):
    """Sends random orders, and records its hook calls."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.seen: list[tuple[Any, ...]] = []

    def on_second(self, ctx: strategy.Context) -> None:
        self.seen.append((ctx.now_ns, len(ctx.bars), ctx.position))
        self._send_random_order(ctx)

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self.seen.append((trade.ordinal, ctx.quote))

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        self.seen.append((fill.price, fill.quantity, ctx.open_orders))

    def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
        self.seen.append((gap.from_ns, gap.to_ns))

    def on_status(self, ctx: strategy.Context, status: TradingStatus) -> None:
        self.seen.append((status.ordinal, ctx.halted, ctx.bands))

    def _send_random_order(self, ctx: strategy.Context) -> None:
        match ctx.rng.randrange(5):
            case 0:
                ctx.buy(ctx.rng.randint(1, 9), limit=ctx.rng.choice([None, 9.5, 10.5]))
            case 1:
                ctx.sell(ctx.rng.randint(1, 9), stop=ctx.rng.choice([None, 9.5]))
            case 2:
                ctx.close()
            case 3 if ctx.open_orders:
                ctx.cancel(ctx.rng.choice(ctx.open_orders))


def a_shard(
    keeper: CheckpointWriter,
    broker: ShardBroker,
    clock: StepClock,
    *,
    epoch: int = 1,
    checkpoint_s: float = 1.0,
    lockstep: bool = True,
    live: bool = False,
    create: type[strategy.Strategy] = RandomStrategy,
) -> Shard:
    config = EngineConfig("day", START_NS, SECOND_NS, 100 * SECOND_NS, 10**18, 1.0, 0.01)
    entries = [
        StrategyEntry("s", lambda: create(NO_PARAMS)),
        StrategyEntry("t", lambda: create(NO_PARAMS), scanner="S"),
    ]
    return Shard(
        ShardConfig(3, epoch, round(checkpoint_s * SECOND_NS), lockstep, live),
        Engine(config, entries, lambda: 0),
        clock,
        keeper,
        broker,
    )


class MarkItems(NamedTuple):
    """The items of one shard up to and including one mark, without order events."""

    mark_ns: int
    items: list[Item]


def random_session(random: Random, *, faults: bool) -> list[MarkItems]:
    """A session: ticks of three symbols, watches and unwatches; with `faults` also losses, gaps and stops."""
    frames, ordinal, now_s = [], 0, 0
    watched = {"A"}
    changes: list[Item] = [Watch("A", START_NS, [""])]
    for _ in range(random.randint(3, 25)):
        items, changes = changes, []
        for _ in range(random.randrange(8)):
            ordinal += 1
            symbol = random.choice(SYMBOLS)
            ts_ns = at(max(now_s + random.random() - random.choice((0, 0, 0, 30, 110)), 0))
            if random.random() < 0.5:
                trade_id = random.randrange(12)
                items.append(Trade(ordinal, symbol, ts_ns, 1, 9 + random.randrange(9) / 4, 10.0, "", "Q", trade_id))
            elif random.random() < 0.2:
                old, new = random.randrange(12), random.randrange(24)
                items.append(random.choice(_revisions(ordinal, symbol, ts_ns, old, new)))
            elif random.random() < 0.2:
                items.append(_notice(random, ordinal, symbol, ts_ns))
            else:
                bid = 9 + random.randrange(8) / 4
                items.append(Quote(ordinal, symbol, ts_ns, 1, bid, 3.0, bid + 0.25, 4.0))
        if faults and random.random() < 0.3:
            items.append(_fault(random, now_s))
        now_s += random.choice((1, 1, 20, 59))
        items.append(Mark(at(now_s), 0, random.randrange(5)))
        frames.append(MarkItems(at(now_s), items))
        symbol = random.choice(SYMBOLS)
        if symbol in watched and random.random() < 0.2:
            watched.discard(symbol)
            changes.append(Unwatch(symbol, at(now_s)))
        elif random.random() < 0.4:
            watched.add(symbol)
            changes.append(Watch(symbol, at(now_s), random.choice((["S"], ["", "S"], []))))
    return frames


def _revisions(ordinal: int, symbol: str, ts_ns: int, old: int, new: int) -> tuple[Item, Item]:
    return (
        Correction(ordinal, symbol, ts_ns, 1, old, 10.25, 7.0, "", "Q", new),
        Cancel(ordinal, symbol, ts_ns, 1, old, "Q"),
    )


def _notice(random: Random, ordinal: int, symbol: str, ts_ns: int) -> Item:
    match random.randrange(3):
        case 0:
            return TradingStatus(ordinal, symbol, ts_ns, 1, random.choice("HT5"))
        case 1:
            return PriceBands(ordinal, symbol, ts_ns, 1, 9.0, 10.0)
        case _:
            prices = [9 + random.randrange(9) / 4] * 4
            minute_ns, updated = ts_ns - ts_ns % MINUTE_NS, random.random() < 0.3
            return VenueBar(ordinal, symbol, minute_ns, 1, *prices, 10.0, updated=updated)


def _fault(random: Random, now_s: int) -> Item:
    from_ns = at(max(now_s - random.randrange(90), 0))
    match random.randrange(3):
        case 0:
            return LostTrades([(random.choice(SYMBOLS), from_ns - from_ns % MINUTE_NS)])
        case 1:
            symbols = random.choice((None, ["A", "Z"]))
            return GapItem(from_ns, from_ns + random.randrange(90) * SECOND_NS, "away", 2, 3, symbols)
        case _:
            return Stop(random.choice("stx"), random.choice(SYMBOLS), "it hung")
