"""A shard by itself: its strategies, its doors, and a session to play to it, without producer and lanes."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from desk import strategy
from desk.consumer.engine import Engine, EngineConfig, StrategyEntry
from desk.consumer.shard import Shard, ShardConfig
from desk.model.items import GapItem, Item, LostTrades, Mark, Stop, Unwatch, Watch
from desk.model.orders import OrderEvent, Request
from desk.model.records import Decision
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


class Clock:
    """Wall time that passes by 1 µs with every look at it."""

    def __init__(self) -> None:
        self.now_ns = 5_000 * SECOND_NS

    def wall_ns(self) -> int:
        self.now_ns += 1_000
        return self.now_ns

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        self.now_ns = max(self.now_ns, until_ns)


class RecordingBroker:
    """A broker that only listens."""

    def __init__(self) -> None:
        self.heard: list[Request] = []

    def submit(self, request: Request) -> None:
        self.heard.append(request)

    def unanswered(self) -> list[Request]:
        return []


class Book:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Decision] = {}
        self.events: dict[tuple[str, int], OrderEvent] = {}

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        self.verdicts |= {decision.intent.client_order_id: decision for decision in decisions}
        for event in events:
            assert self.events.setdefault((event.symbol, event.number), event) == event

    def decisions(self) -> list[Decision]:
        return list(self.verdicts.values())

    def history(self) -> tuple[list[Decision], list[OrderEvent]]:
        return self.decisions(), list(self.events.values())

    def notes(self) -> dict[str, str]:
        return {}


def a_manager(book: Book) -> OrderManager:
    limits = RiskLimits(max_order_notional=80.0, max_position_notional=150.0)
    return OrderManager("day", RiskGate(limits), book, SimulatedVenue())


class Gambler(strategy.Strategy):
    """Does everything a strategy may do, at random, and remembers what it was shown."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.seen: list[tuple[Any, ...]] = []

    def on_second(self, ctx: strategy.Context) -> None:
        self.seen.append((ctx.now_ns, len(ctx.bars), ctx.position))
        self._bet(ctx)

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self.seen.append((trade.ordinal, ctx.quote))

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        self.seen.append((fill.price, fill.quantity, ctx.open_orders))

    def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
        self.seen.append((gap.from_ns, gap.to_ns))

    def _bet(self, ctx: strategy.Context) -> None:
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
    clock: Clock,
    *,
    epoch: int = 1,
    checkpoint_s: float = 1.0,
    lockstep: bool = True,
    live: bool = False,
    create: type[strategy.Strategy] = Gambler,
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


class Frame(NamedTuple):
    """What a producer has for the shard up to and with one mark, without order events."""

    mark_ns: int
    items: list[Item]


def frames_of(random: Random, *, faults: bool) -> list[Frame]:
    """A session: ticks of three symbols, watches and their ends; with `faults` also losses, gaps and stops."""
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
            else:
                bid = 9 + random.randrange(8) / 4
                items.append(Quote(ordinal, symbol, ts_ns, 1, bid, 3.0, bid + 0.25, 4.0))
        if faults and random.random() < 0.3:
            items.append(_fault(random, now_s))
        now_s += random.choice((1, 1, 20, 59))
        items.append(Mark(at(now_s), 0, random.randrange(5)))
        frames.append(Frame(at(now_s), items))
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
