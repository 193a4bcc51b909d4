"""Whoever dies, and whenever: what shard, keeper and broker end up with is what they would have had without it."""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from shard_parts import Book, Clock, Frame, RecordingBroker, a_manager, a_shard, at, frames_of

from desk.checkpoint import KeeperStore
from desk.consumer.engine.snapshot import decode_state
from desk.consumer.shard import Shard, checkpoint_symbols
from desk.inprocess.direct_calls import LocalKeeper
from desk.model.batch import Batch, LaneTotals, encode
from desk.model.items import Close, Item
from desk.model.orders import OrderEvent, Request


def packed(told: object) -> bytes:
    """The same bytes for the same content, whatever the order of its sets and dicts."""
    return repr(msgspec.to_builtins(told, str_keys=True, order="sorted")).encode()


seeds = st.integers(0, 2**32)


class Bench:
    """A keeper's folder, and the incarnations of the shard that leave their checkpoints there."""

    def __init__(self, folder: str) -> None:
        self.store = KeeperStore(Path(folder))
        self.clock = Clock()
        self.ear = RecordingBroker()
        self.epoch = 0
        self.shard = self.begin()

    def begin(self, *, lockstep: bool = True) -> Shard:
        """A shard as it starts: from the last checkpoint, where there is one."""
        self.epoch += 1
        keeper = LocalKeeper(self.store)
        self.shard = a_shard(keeper, self.ear, self.clock, epoch=self.epoch, lockstep=lockstep)
        checkpoint = keeper.latest(3)
        if checkpoint is not None:
            self.shard.restore(checkpoint, keeper.bars(checkpoint_symbols(checkpoint)))
        return self.shard

    def portrait(self) -> list[Any]:
        """Everything that must not depend on who died: figures, bars, positions, the engine's whole state."""
        stats = msgspec.structs.replace(
            self.shard.stats(),
            batches=0,
            busy_ns=0,
            restored=0,
            lane=LaneTotals(),
            slot_ticks={},
            told_ns=0,
            strategy_times={},
        )
        for name in ("time_in_queue", "in_lane", "on_link", "data_latency"):
            setattr(stats, name, None)
        stats.audit.repeated = 0
        bars = sorted(map(packed, self.store.bars()))
        position = self.shard.position()
        state = decode_state(self.shard.engine.checkpoint(self.shard.pending).state)
        state.audit.repeated = 0
        # Pickles of equal objects may differ.
        seats = [seat for symbol in state.symbols for seat in symbol.instances]
        strategies = [seat.strategy and vars(pickle.loads(seat.strategy)) for seat in seats]
        for seat in seats:
            seat.strategy = b""
        place = (position.mark_ns, position.durable_mark_ns, position.watched, position.closed)
        return [packed(stats), bars, packed(place), packed(state), packed(strategies)]


@contextmanager
def a_bench() -> Iterator[Bench]:
    with TemporaryDirectory() as folder:
        bench = Bench(folder)
        try:
            yield bench
        finally:
            bench.store.close()


def parts_of(batch: Batch, random: Random) -> Iterator[Batch]:
    """The batch whole, or cut somewhere, with parts that come twice."""
    start = 0
    while random.random() < 0.3:
        end = random.randint(start, len(batch.items))
        part = msgspec.structs.replace(batch, items=batch.items[start:end], more=True)
        yield from [part] * random.choice((1, 1, 2))
        start = end
    yield msgspec.structs.replace(batch, items=batch.items[start:])


class Recording:
    """The batches of a session that nobody disturbed, cut at random, and what the shard answered to each."""

    def __init__(self, bench: Bench, random: Random) -> None:
        self.batches: list[Batch] = []
        self.requests: list[Request | None] = []
        self._bench = bench
        self._random = random
        manager = a_manager(Book())
        events: list[OrderEvent] = []
        mark_ns = at(0)
        for frame in frames_of(random, faults=True):
            mark_ns = frame.mark_ns
            events = manager.decide(self._exchange([*events, *frame.items], mark_ns))
        rounds = count(mark_ns + 1)
        events = manager.decide(self._exchange([*events, Close(mark_ns)], next(rounds)))
        events += manager.close(mark_ns)
        while events:
            events = manager.decide(self._exchange(events, next(rounds)))
        self._send([], mark_ns, want_reply=False, checkpoint=True)

    def _exchange(self, items: Sequence[Item], mark_ns: int) -> Request:
        start = 0
        while self._random.random() < 0.5:
            end = self._random.randint(start, len(items))
            poke = self._random.random() < 0.2
            self._send(items[start : start if poke else end], mark_ns, want_reply=False, checkpoint=poke)
            start = start if poke else end
        request = self._send(items[start:], mark_ns, want_reply=True, checkpoint=False)
        assert request is not None
        return request

    def _send(self, items: Sequence[Item], mark_ns: int, *, want_reply: bool, checkpoint: bool) -> Request | None:
        seq = len(self.batches) + 1
        totals = LaneTotals(trades=seq)
        batch = Batch("producer", 1, 3, seq, 0, totals, list(items), want_reply, None, mark_ns, checkpoint)
        self.batches.append(batch)
        self.requests.append(self._bench.shard.receive(encode(batch)).request)
        return self.requests[-1]


class Deduplicated:
    """What a broker finds new in the requests that it is given."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def take(self, request: Request) -> None:
        for wish in (*request.reports, *request.intents):
            if (told := packed(wish)) not in self.asked:
                self.asked.append(told)


@examples(60)
@given(seeds)
def test_a_shard_that_dies_at_any_batch_ends_as_one_that_lived(seed: int) -> None:
    random = Random(seed)
    with a_bench() as lived, a_bench() as died:
        recording = Recording(lived, random)
        expected, found = Deduplicated(), Deduplicated()
        for request in filter(None, recording.requests):
            expected.take(request)

        answered = 0
        while answered < len(recording.batches):
            # What was applied but not answered is asked about again, what came after the checkpoint is sent again.
            position = died.shard.position()
            done = position.seq if position.source_epoch == 1 else 0
            for batch in recording.batches[min(done, answered) :]:
                died.clock.sleep(random.choice((0.0, 0.0, 1.0)))
                parts = list(parts_of(batch, random))
                killed = random.random() < 0.1
                acks = [
                    died.shard.receive(encode(part))
                    for part in parts[: random.randint(0, len(parts)) if killed else None]
                ]
                if killed:
                    died.begin()
                    break
                assert acks[-1].seq == batch.seq
                assert all(ack.seq == max(batch.seq - 1, 0) or ack.seq == batch.seq for ack in acks)
                if acks[-1].request is not None and batch.seq > answered:
                    found.take(acks[-1].request)
                answered = max(answered, batch.seq)

        assert died.portrait() == lived.portrait()
        assert found.asked == expected.asked
        assert died.shard.stats().batches == lived.shard.stats().batches == len(recording.batches)
        assert died.shard.stats().lane == lived.shard.stats().lane


class Broker:
    """An order manager that is asked first what it was asked before, so that only what is new changes anything.

    Its answers to that come by their numbers: a shard passes over what is below the last number it was given.
    """

    def __init__(self) -> None:
        self.book = Book()
        self.manager = a_manager(self.book)
        self._known: set[bytes] = set()

    def decide(self, request: Request) -> list[OrderEvent]:
        again, new = Request(mark_ns=request.mark_ns), Request(prices=request.prices, mark_ns=request.mark_ns)
        for intent in request.intents:
            (again if packed(intent) in self._known else new).intents.append(intent)
        for report in request.reports:
            (again if packed(report) in self._known else new).reports.append(report)
        self._known.update(map(packed, (*new.intents, *new.reports)))
        known = sorted(self.manager.decide(again), key=lambda event: event.number)
        return known + self.manager.decide(new)


class Dead(Exception):
    """The producer dies here."""


class Producer:
    """One incarnation of a producer in lockstep: it begins after a mark, and may die at any step."""

    def __init__(self, bench: Bench, broker: Broker, epoch: int, random: Random, *, mortal: bool) -> None:
        self._bench, self._broker = bench, broker
        self._epoch, self._random, self._mortal = epoch, random, mortal
        self._seq = 0
        self.states: list[int] = [0]

    def play(self, frames: Sequence[Frame], after_ns: int) -> None:
        position = self._bench.shard.position()
        symbols = self._bench.shard.engine.symbols
        missed = self._broker.manager.events_after({symbol: state.last_event for symbol, state in symbols.items()})
        events = [event for event in missed if event.given_ns <= position.mark_ns]
        mark_ns = after_ns
        for frame in frames:
            if frame.mark_ns > after_ns:
                mark_ns = frame.mark_ns
                events = self._exchange([*events, *frame.items], mark_ns)
                self.states.append(mark_ns)
        rounds = count(mark_ns + 1)
        events = self._exchange([*events, Close(mark_ns)], next(rounds))
        events += self._broker.manager.close(mark_ns)
        while events:
            events = self._exchange(events, next(rounds))

    def _exchange(self, items: Sequence[Item], mark_ns: int) -> list[OrderEvent]:
        start = 0
        while self._random.random() < 0.4:
            end = self._random.randint(start, len(items))
            self._send(items[start:end], mark_ns, want_reply=False)
            start = end
        request = self._send(items[start:], mark_ns, want_reply=True)
        assert request is not None
        self._step()
        events = self._broker.decide(request)
        self._step()
        return events

    def _send(self, items: Sequence[Item], mark_ns: int, *, want_reply: bool) -> Request | None:
        self._step()
        self._seq += 1
        self._bench.clock.sleep(self._random.choice((0.0, 1.0)))
        batch = Batch("producer", self._epoch, 3, self._seq, 0, LaneTotals(), list(items), want_reply, None, mark_ns)
        return self._bench.shard.receive(encode(batch)).request

    def _step(self) -> None:
        if self._mortal and self._random.random() < 0.05:
            raise Dead


@examples(60)
@given(seeds, st.booleans())
def test_a_producer_that_dies_at_any_step_changes_nothing_whether_the_shard_dies_too(seed: int, both: bool) -> None:
    random = Random(seed)
    frames = frames_of(random, faults=False)
    with a_bench() as lived, a_bench() as died:
        whole, broken = Broker(), Broker()
        Producer(lived, whole, 1, random, mortal=False).play(frames, 0)

        states = [0]
        for epoch in range(1, 7):
            if both and epoch > 1:
                died.begin()
            # A state is kept once the exchange of its mark is done, and the shard's checkpoint is not before it.
            durable_ns = died.shard.position().durable_mark_ns
            after_ns = random.choice([0, *(mark_ns for mark_ns in states if mark_ns <= durable_ns)][-3:])
            producer = Producer(died, broken, epoch, random, mortal=epoch < 6)
            try:
                producer.play(frames, after_ns)
                break
            except Dead:
                states = sorted({*states, *producer.states})

        assert packed(broken.book.decisions()) == packed(whole.book.decisions())
        assert packed(list(broken.book.events.values())) == packed(list(whole.book.events.values()))
        assert broken.manager.problems == []
        assert died.portrait() == lived.portrait()
