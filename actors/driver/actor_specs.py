"""How each actor of a desk is created.

Tests: tests/actors/test_on_ray.py
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from ray.actor import ActorHandle

from actors.broker import Broker
from actors.calls.interfaces import (
    BrokerActor,
    ConsumerActor,
    HistoryActor,
    KeeperActor,
    LedgerActor,
    ProducerActor,
    ScannerActor,
    SupervisedActor,
)
from actors.calls.links import RayShardLinks
from actors.calls.remote_ports import (
    RayBroker,
    RayHistory,
    RayKeeper,
    RayLedger,
    RayProducer,
    RayScanners,
    RayTickWriter,
)
from actors.consumer import Consumer
from actors.driver.actor_registry import ActorSpec
from actors.driver.monitor import HISTORY, PRODUCER
from actors.driver.watchdog import SCANNER, Watchdog
from actors.history import HistoryReader
from actors.keeper import Keeper
from actors.ledger import Ledger
from actors.producer import Producer
from actors.ray_cluster.cluster import Cluster
from actors.scanners import Scanners
from desk.config import Plan
from desk.files.sealing import Seal
from desk.model.batch import LaneTotals
from desk.model.session import Session
from desk.runs import RunFolder
from desk.wiring import history_factory

PRODUCER_THREADS = 4

# mypy compares each actor class with the protocol that its callers use.
_CALLED: Final[
    tuple[
        type[BrokerActor],
        type[ConsumerActor],
        type[HistoryActor],
        type[KeeperActor],
        type[LedgerActor],
        type[ProducerActor],
        type[ScannerActor],
    ]
] = (Broker, Consumer, HistoryReader, Keeper, Ledger, Producer, Scanners)
_SUPERVISED: Final[Sequence[type[SupervisedActor]]] = (
    Broker,
    Consumer,
    HistoryReader,
    Keeper,
    Ledger,
    Producer,
    Scanners,
)


class ActorSpecs:
    """The specs of all actors, in the order in which the actors depend on one another.

    `lanes` returns for the producer: the shards with which the session began, the joined ones, and the lane totals of
    those asleep.
    """

    def __init__(
        self,
        plan: Plan,
        session: Session,
        folder: RunFolder,
        cluster: Cluster,
        desk: str,
        seal: Seal,
        watchdog: Watchdog,
        lanes: Callable[[], tuple[list[int], list[int], dict[int, LaneTotals]]],
    ) -> None:
        self._plan = plan
        self._session = session
        self._folder = folder
        self._make = cluster.create
        self._desk = desk
        self._seal = seal
        self._watchdog = watchdog
        self._lanes = lanes
        self._has_history = history_factory.needs_history(plan, session)

    def by_name(self, numbers: Mapping[str, int]) -> dict[str, ActorSpec]:
        """The specs of all actors, with one consumer per name in `consumers`."""
        plan, session, make = self._plan, self._session, self._make
        return {
            "keeper": lambda _: make(Keeper, "keeper", self._folder.keeper, self._seal),
            "ledger": self._ledger,
            "broker": lambda _: make(Broker, "broker", plan, session, RayLedger(), RayProducer()),
            SCANNER: self._scanner,
            **({HISTORY: self._history} if self._has_history else {}),
            **{name: partial(self._consumer, name, number) for name, number in numbers.items()},
            PRODUCER: self._producer,
        }

    def _ledger(self, _: int) -> ActorHandle[Ledger]:
        apart = [Ledger.stats, Ledger.report]
        return self._make(Ledger, "ledger", self._plan, self._session, self._folder.dir, apart=apart)

    def _consumer(self, name: str, number: int, epoch: int) -> ActorHandle[Consumer]:
        plan, stops = self._plan, self._watchdog.begins(name, epoch)
        parts = (RayKeeper(), RayBroker(), self._desk, stops)
        return self._make(Consumer, name, plan, self._session, number, epoch, *parts, cpus=plan.consumers.cpus)

    def _scanner(self, epoch: int) -> ActorHandle[Scanners]:
        stops = self._watchdog.begins(SCANNER, epoch)
        # The venue of a live market may take seconds to answer a scan: polls of the supervisor do not wait for it.
        apart = [Scanners.stats, Scanners.report, Scanners.usage] if self._plan.feed.is_live else []
        return self._make(Scanners, SCANNER, self._plan, self._session, epoch, self._desk, stops, apart=apart)

    def _history(self, _: int) -> ActorHandle[HistoryReader]:
        apart = [HistoryReader.usage, HistoryReader.stats, HistoryReader.report]
        parts = (self._plan, self._session, self._folder.history)
        return self._make(HistoryReader, HISTORY, *parts, apart=apart)

    def _producer(self, epoch: int) -> ActorHandle[Producer]:
        plan, session = self._plan, self._session
        first, joined, asleep = self._lanes()
        scanners = RayScanners([scanner.every_s for scanner in plan.scanners], session.start_ns)
        parts = (RayShardLinks(), RayBroker(), scanners, RayKeeper())
        history = RayHistory() if self._has_history else None
        return self._make(
            *(Producer, PRODUCER, plan, session, epoch, *parts, first, joined, asleep, history),
            RayTickWriter() if plan.tape.record else None,
            threads=PRODUCER_THREADS,
        )
