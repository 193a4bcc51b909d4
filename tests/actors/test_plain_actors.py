"""The actor classes as plain classes: the whole desk in one process, connected by direct calls."""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from actors.broker import Broker
from actors.calls.order_encoding import decode_bars, decode_events, encode
from actors.consumer import Consumer
from actors.keeper import Keeper
from actors.ledger import Ledger
from actors.producer import Producer
from actors.scanners import Scanners
from desk.checkpoint import KeeperStore
from desk.config import Plan
from desk.files.sealing import Seal
from desk.model.bars import Bar
from desk.model.batch import News, ShardBack, decode_ack, decode_position
from desk.model.checkpoint import Checkpoint, ProducerState, decode_checkpoint, decode_producer
from desk.model.orders import OrderEvent, Request
from desk.model.records import ScanAnswer
from desk.model.session import Session
from desk.ports import AckWait, Wait
from desk.process.clock import SystemClock
from desk.wiring import markets, plan_session

SHARDS = 2


SEAL = Seal(b"of this test")


class DirectLinks:
    def __init__(self, consumers: Mapping[int, Consumer]) -> None:
        self._consumers = consumers
        self._clock = SystemClock()
        self._news: list[News] = []

    def send(self, shard: int, batch: bytes) -> None:
        self._news.append(decode_ack(self._consumers[shard].apply(batch)))

    def wait(self, wait: Wait, descriptors: Sequence[int] = ()) -> list[News]:
        if wait.until_ns:
            self._clock.wait(wait.until_ns, descriptors)
        if wait.acks is AckWait.SETTLED:
            for consumer in self._consumers.values():
                consumer.settle()
        news, self._news = self._news, []
        return news

    def locate(self, shard: int) -> None:
        self._news.append(ShardBack(decode_position(self._consumers[shard].position())))


class DirectBroker:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def decide(self, request: Request) -> list[OrderEvent]:
        return decode_events(self._broker.decide(encode(request)))

    def submit(self, request: Request) -> None:
        self._broker.submit(encode(request))

    def unanswered(self) -> list[Request]:
        return []

    def events_after(self, numbers: Mapping[str, int]) -> list[OrderEvent]:
        return decode_events(self._broker.events_after(encode(numbers)))

    def begin_close(self, session_ns: int) -> None:
        self._broker.begin_close(session_ns)

    def close(self, session_ns: int) -> list[OrderEvent]:
        return decode_events(self._broker.close(session_ns))

    def settle(self) -> None:
        """Nothing is ever under way."""


class DirectKeeper:
    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._confirmed = 0

    def save(self, number: int, checkpoint: bytes) -> None:
        assert self._keeper.save(checkpoint)
        self._confirmed = number

    def confirmed(self) -> int:
        return self._confirmed

    def save_producer(self, state: bytes) -> None:
        assert self._keeper.save_producer(state)

    def latest(self, shard: int) -> Checkpoint | None:
        found = self._keeper.latest(shard)
        return None if found is None else decode_checkpoint(found)

    def producer(self) -> ProducerState | None:
        found = self._keeper.producer()
        return None if found is None else decode_producer(found)

    def bars(self, symbols: Iterable[str]) -> list[Bar]:
        return decode_bars(self._keeper.bars(symbols))

    def settle(self) -> None:
        """Nothing is ever under way."""


class DirectProducer:
    """The way back to a producer that is made after its broker."""

    def __init__(self) -> None:
        self.producer: Producer | None = None

    def deliver(self, events: bytes) -> None:
        assert self.producer is not None
        self.producer.deliver(events)


class DirectScanner:
    def __init__(self, scanner: Scanners) -> None:
        self._scanner = scanner
        self._answers: list[ScanAnswer] = []

    def ask(self, mark_ns: int, subscribed: list[str]) -> bool:
        self._answers = self._scanner.scan(mark_ns, subscribed)
        return bool(self._answers)

    def answers(self) -> list[ScanAnswer]:
        answers, self._answers = self._answers, []
        return answers

    def history(self, symbols: list[str], until_ns: int) -> dict[str, list[Bar]]:
        return self._scanner.history(symbols, until_ns)

    def remembered(self, symbols: list[str], until_ns: int) -> dict[str, bytes]:
        return self._scanner.remembered(symbols, until_ns)


class Desk:
    """All actors of a plan, by hand."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.session: Session = plan_session.derive_session(plan, markets.market_source(plan), SystemClock())
        KeeperStore(folder / "keeper", SEAL).begin()
        self.keeper = Keeper(folder / "keeper", SEAL)
        self.ledger = Ledger(plan, self.session, folder)
        back = DirectProducer()
        self.broker = Broker(plan, self.session, self.ledger, back)
        self.scanner = Scanners(plan, self.session)
        self.consumers = {number: self.consumer(number, 1) for number in range(SHARDS)}
        back.producer = self.producer = Producer(
            plan,
            self.session,
            1,
            DirectLinks(self.consumers),
            DirectBroker(self.broker),
            DirectScanner(self.scanner),
            DirectKeeper(self.keeper),
            range(SHARDS),
            range(SHARDS),
            {},
        )

    def consumer(self, number: int, epoch: int) -> Consumer:
        doors = (DirectKeeper(self.keeper), DirectBroker(self.broker))
        return Consumer(self.plan, self.session, number, epoch, *doors)


def plan_of(lockstep: bool) -> Plan:
    return Plan.model_validate(
        {
            "session": {"name": "plain", "lockstep": lockstep},
            "feed": {
                "symbols": ["SYN0000", "SYN0001", "SYN0002"],
                "synthetic": {"symbols": 40, "events_per_s": 300.0, "minutes": 4},
            },
            "consumers": {"count": SHARDS},
            "scanners": [
                {"use": "strategies.scanners.top_movers:TopMovers", "every_s": 30, "params": {"min_change": 0.001}}
            ],
            "strategies": [
                {"use": "strategies.examples.mean_reversion:MeanReversion"},
                {"use": "strategies.examples.pressure:Pressure", "scanner": "TopMovers"},
            ],
        }
    )


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Actors take the garbage collector into their own hands; here it goes back."""
    yield
    gc.enable()
    gc.unfreeze()


@pytest.fixture(params=[True, False], ids=["lockstep", "free-running"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(plan_of(lockstep=request.param), tmp_path)
    yield desk
    desk.keeper.close()
    desk.ledger.close()


def test_the_actor_classes_run_a_session_without_ray(desk: Desk) -> None:
    counts = desk.producer.play()

    stats = [consumer.stats() for consumer in desk.consumers.values()]
    received = counts.received["trades"] + counts.received["quotes"]
    assert received > 10_000
    assert received == sum(shard.audit.trades + shard.audit.quotes for shard in stats)
    assert {shard.mark_ns for shard in stats} == {desk.session.end_ns}


def test_orders_pass_broker_and_ledger_and_their_fills_come_back_through_the_lanes(desk: Desk) -> None:
    desk.producer.play()

    orders = desk.broker.stats()
    decisions = desk.ledger.decisions()
    assert orders.filled > 0
    assert len(decisions) == orders.submitted + orders.refused_by_risk
    assert {decision.outcome for decision in decisions}.isdisjoint({"accepted", "partially_filled", "pending_cancel"})
    assert desk.broker.problems() == []


def test_the_keeper_holds_every_bar_when_the_feed_has_ended(desk: Desk) -> None:
    desk.producer.play()

    store = KeeperStore(desk.folder / "keeper")
    final = [store.latest(shard) for shard in range(SHARDS)]
    minutes = {(bar.symbol, bar.minute_ns) for bar in store.bars()}
    assert all(checkpoint is not None and checkpoint.final for checkpoint in final)
    assert {"SYN0000", "SYN0001", "SYN0002"} <= {symbol for symbol, _ in minutes}
    assert desk.keeper.stats() >= SHARDS


def test_scanners_add_symbols_that_the_plan_did_not_name(desk: Desk) -> None:
    desk.producer.play()

    assert desk.scanner.stats().scans == 8
    assert desk.scanner.stats().problems == []
    assert desk.producer.stats().loop.subscribed > 3


def test_every_actor_names_itself_as_the_dashboard_shows_it(desk: Desk, tmp_path: Path) -> None:
    actors = [desk.producer, *desk.consumers.values(), desk.scanner, desk.broker, desk.ledger, desk.keeper]

    assert [repr(actor) for actor in actors] == [
        "producer of plain: synthetic feed",
        "consumer-00 of plain: MeanReversion, Pressure",
        "consumer-01 of plain: MeanReversion, Pressure",
        "scanner of plain: TopMovers",
        "broker of plain: simulated",
        "ledger of plain",
        f"keeper of {tmp_path.name}",
    ]


def test_a_stopped_producer_drains_what_it_took_in(desk: Desk) -> None:
    desk.producer.stop()

    counts = desk.producer.play()

    assert sum(counts.received.values()) == sum(
        consumer.stats().audit.trades + consumer.stats().audit.quotes for consumer in desk.consumers.values()
    )
    assert all(checkpoint is not None for checkpoint in map(KeeperStore(desk.folder / "keeper").latest, range(SHARDS)))


def test_a_consumer_made_anew_begins_where_the_keeper_says_that_it_stood(desk: Desk) -> None:
    desk.producer.play()
    before = desk.consumers[0].stats()

    after = desk.consumer(0, 2).stats()

    assert after.restored == 1
    assert after.audit == before.audit
    assert (after.mark_ns, after.symbols, after.batches, after.lane) == (
        before.mark_ns,
        before.symbols,
        before.batches,
        before.lane,
    )
