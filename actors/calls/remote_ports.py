"""The ports of `desk.ports` as calls to other actors.

Tests: tests/actors/test_on_ray.py
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayTaskError

from actors.calls.interfaces import BrokerActor, HistoryActor, KeeperActor, LedgerActor, ProducerActor, ScannerActor
from actors.calls.order_encoding import decode_bars, decode_events, decode_request, encode
from actors.calls.peers import COLLECT_EVERY_S, Outbox, Peer, translate_task_errors
from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint, ProducerState, decode_checkpoint, decode_producer
from desk.model.history import Answer, Question, decode_answer, encode_question
from desk.model.orders import OrderEvent, Request
from desk.model.records import Decision, ScanAnswer
from desk.model.units import SECOND_NS


class RayBroker:
    """The broker port of the producer and the shards."""

    def __init__(self) -> None:
        self._peer = Peer[BrokerActor]("broker")
        self._submitted = Outbox(self._peer, BrokerActor.submit)
        self._numbers = count(1)

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayBroker, ())

    def decide(self, request: Request) -> list[OrderEvent]:
        """Decide, and wait for the events."""
        return decode_events(self._peer.ask(BrokerActor.decide, encode(request)))

    def submit(self, request: Request) -> None:
        """Send without waiting; an error of an earlier request is raised here or by `settle`."""
        self._submitted.put(next(self._numbers), encode(request))

    def unanswered(self) -> list[Request]:
        """The requests without an answer."""
        return [decode_request(request) for request in self._submitted.waiting()]

    def events_after(self, numbers: Mapping[str, int]) -> list[OrderEvent]:
        """Fetch the events."""
        return decode_events(self._peer.ask(BrokerActor.events_after, encode(numbers)))

    def begin_close(self, session_ns: int) -> None:
        """Have the ledger's position recorded, and wait."""
        self._peer.ask(BrokerActor.begin_close, session_ns)

    def close(self, session_ns: int) -> list[OrderEvent]:
        """End all open orders, and wait."""
        return decode_events(self._peer.ask(BrokerActor.close, session_ns))

    def settle(self) -> None:
        """Wait until every submitted request is decided."""
        self._submitted.settle()


class RayKeeper:
    """The keeper port of the producer and the shards."""

    def __init__(self) -> None:
        self._peer = Peer[KeeperActor]("keeper")
        self._checkpoints = Outbox(self._peer, KeeperActor.save)
        self._states = Outbox(self._peer, KeeperActor.save_producer)
        self._numbers = count(1)

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayKeeper, ())

    def save(self, number: int, checkpoint: bytes) -> None:
        """Send without waiting; an error of an earlier checkpoint is raised here or by `settle`."""
        self._checkpoints.put(number, checkpoint)

    def confirmed(self) -> int:
        """The last checkpoint whose ack has arrived."""
        self._checkpoints.collect()
        return self._checkpoints.answered

    def save_producer(self, state: bytes) -> None:
        """Send without waiting; a newer state supersedes older ones."""
        self._states.replace(next(self._numbers), state)

    def latest(self, shard: int) -> Checkpoint | None:
        """Fetch the shard's last checkpoint."""
        found = self._peer.ask(KeeperActor.latest, shard)
        return None if found is None else decode_checkpoint(found)

    def producer(self) -> ProducerState | None:
        """Fetch the producer's last state."""
        found = self._peer.ask(KeeperActor.producer)
        return None if found is None else decode_producer(found)

    def bars(self, symbols: Iterable[str]) -> list[Bar]:
        """Fetch the saved bars of these symbols."""
        return decode_bars(self._peer.ask(KeeperActor.bars, list(symbols)))

    def settle(self) -> None:
        """Wait until everything sent is saved."""
        self._checkpoints.settle()
        self._states.settle()


class RayTickWriter:
    """The port of the producer's recording."""

    def __init__(self) -> None:
        self._chunks = Outbox(Peer[KeeperActor]("keeper"), KeeperActor.save_ticks)
        self._numbers = count(1)

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayTickWriter, ())

    def save_ticks(self, chunk: bytes) -> None:
        """Send without waiting; an error of an earlier chunk is raised here or by `settle`."""
        self._chunks.put(next(self._numbers), chunk)

    def unsaved_ticks(self) -> int:
        """The bytes of the chunks that are not acknowledged."""
        return sum(map(len, self._chunks.waiting()))

    def settle(self) -> None:
        """Wait until everything sent is saved."""
        self._chunks.settle()


class RayLedger:
    """The ledger port of the broker."""

    def __init__(self) -> None:
        self._peer = Peer[LedgerActor]("ledger")

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayLedger, ())

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        """Write, and wait for the commit; repeated to a successor, which ignores committed rows."""
        self._peer.ask(LedgerActor.record, decisions, events, notes)

    def notes(self) -> dict[str, str]:
        """The order manager's notes."""
        return self._peer.ask(LedgerActor.notes)

    def earlier_loss(self) -> float:
        """The loss of earlier sessions of the same exchange day."""
        return self._peer.ask(LedgerActor.earlier_loss)

    def decisions(self) -> list[Decision]:
        """Every decision with its outcome."""
        return self._peer.ask(LedgerActor.decisions)

    def history(self) -> tuple[list[Decision], list[OrderEvent]]:
        """The decisions and events recorded so far."""
        return self._peer.ask(LedgerActor.history)


class RayScanners:
    """The scanner port of the producer. `periods_s` are the scanners' periods; none is called before it is due."""

    def __init__(self, periods_s: Sequence[int], session_start_ns: int) -> None:
        self._peer = Peer[ScannerActor]("scanner")
        self._periods_s = tuple(periods_s)
        self._start_ns = session_start_ns
        self._question: tuple[int, list[str]] | None = None
        self._under_way: ObjectRef[list[ScanAnswer]] | None = None
        self._asked: ActorHandle[ScannerActor] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayScanners, (self._periods_s, self._start_ns))

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        """Start a scan without waiting, if any scanner is due."""
        elapsed_s = (mark_ns - self._start_ns) // SECOND_NS
        if elapsed_s <= 0 or not any(elapsed_s % period_s == 0 for period_s in self._periods_s):
            return False
        self._question = (mark_ns, list(subscribed))
        self._under_way = None
        if self._peer.find():
            self._scan()
        return True

    def answers(self) -> list[ScanAnswer]:
        """Wait for the answers of the scan; the call is repeated to a successor."""
        if self._question is None:
            return []
        while True:
            if self._under_way is None:
                self._scan()
            assert self._under_way is not None, "no scan was started"
            try:
                with translate_task_errors():
                    answers = ray.get(self._under_way)
            except RayActorError:
                self._peer.lost(self._asked)
                self._under_way = None
                continue
            self._question = self._under_way = None
            return answers

    def answered(self) -> bool:
        """Whether the scan is done; one whose actor has died is repeated to its successor, as soon as there is one."""
        if self._question is None:
            return True
        if self._under_way is None:
            if self._peer.find():
                self._scan()
            return False
        if not ray.wait([self._under_way], timeout=0, fetch_local=True)[0]:
            return False
        try:
            ray.get(self._under_way)
        except RayActorError:
            self._peer.lost(self._asked)
            self._under_way = None
            return False
        except RayTaskError:
            return True  # `answers` raises it
        return True

    def _scan(self) -> None:
        assert self._question is not None, "no scan was started"
        self._under_way = self._peer.call(ScannerActor.scan, *self._question)
        self._asked = self._peer.incarnation

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """Fetch the session's bars of these symbols."""
        return self._peer.ask(ScannerActor.history, list(symbols), until_ns)

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        """Fetch the remembered trades of these symbols."""
        return self._peer.ask(ScannerActor.remembered, list(symbols), until_ns)


class RayHistory:
    """The history port of the producer. It looks for answers at intervals, and repeats questions to a successor."""

    def __init__(self) -> None:
        self._peer = Peer[HistoryActor]("history")
        self._unsent: list[bytes] = []
        self._asked: dict[ObjectRef[bytes], bytes] = {}
        self._asked_of: ActorHandle[HistoryActor] | None = None
        self._looked_s = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayHistory, ())

    def ask(self, question: Question) -> None:
        """Send the question, or keep it until a successor starts."""
        self._unsent.append(encode_question(question))
        self._send()

    def answers(self) -> list[Answer]:
        """The answers that have arrived since the last look."""
        now_s = time.monotonic()
        if not (self._asked or self._unsent) or now_s - self._looked_s < COLLECT_EVERY_S:
            return []
        self._looked_s = now_s
        self._send()
        if not self._asked:
            return []
        done, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        return [decode_answer(answer) for ref in done if (answer := self._take(ref)) is not None]

    def _send(self) -> None:
        if self._unsent and self._peer.find():
            questions, self._unsent = self._unsent, []
            for question in questions:
                self._asked[self._peer.call(HistoryActor.serve, question)] = question
            self._asked_of = self._peer.incarnation

    def _take(self, ref: ObjectRef[bytes]) -> bytes | None:
        """The answer; None if the actor has died, whose questions are then sent again."""
        question = self._asked.pop(ref, None)
        if question is None:
            return None
        try:
            with translate_task_errors():
                return ray.get(ref)
        except RayActorError:
            self._peer.lost(self._asked_of)
            self._unsent += [question, *self._asked.values()]
            self._asked.clear()
            return None


class RayProducer:
    """The producer's inbox."""

    def __init__(self) -> None:
        self._peer = Peer[ProducerActor]("producer")

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayProducer, ())

    def deliver(self, events: bytes) -> None:
        """Send order events, and wait until they are in the inbox."""
        self._peer.ask(ProducerActor.deliver, events)
