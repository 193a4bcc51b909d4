"""The doors of `desk.ports` as calls to actor handles. Bound methods are kept: making one costs per access."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from actors.wire import decode_events, encode
from desk.model.bars import Bar
from desk.model.batch import Ack, decode_ack
from desk.model.errors import ActorDied
from desk.model.orders import OrderEvent, Request
from desk.model.records import Decision, ScanAnswer
from desk.model.units import SECOND_NS


@contextmanager
def told(actor: str) -> Iterator[None]:
    """Turn Ray's words into ours: a dead actor is ActorDied, and what an actor raised is raised as it was."""
    try:
        yield
    except RayActorError as error:
        why = str(error).strip().splitlines()
        raise ActorDied(
            actor,
            f"its process is gone ({'; '.join(line.strip() for line in why if line.strip())})",
            "a process that lives as long as the run",
            "Look into desk.log and the machine's memory, and run again.",
        ) from error
    except RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from error
        raise


def consumer_name(shard: int) -> str:
    """The consumer actor's name."""
    return f"consumer-{shard:02}"


class RayShardLinks:
    """Batches to consumer actors. One `ray.wait` over all calls under way learns of the acks."""

    def __init__(self, consumers: Mapping[int, Any]) -> None:
        self._consumers = dict(consumers)
        self._apply = {shard: handle.apply.remote for shard, handle in consumers.items()}
        self._under_way: dict[Any, int] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayShardLinks, (self._consumers,))

    def send(self, shard: int, batch: bytes) -> None:
        """Call the consumer without waiting."""
        self._under_way[self._apply[shard](batch)] = shard

    def acks(self, wait: bool) -> list[Ack]:
        """The acks of the calls that are done, in the order in which they were sent per shard."""
        under_way = self._under_way
        if not under_way:
            return []
        refs = list(under_way)
        done, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
        if not done and wait:
            done, _ = ray.wait(refs, num_returns=1, fetch_local=False)
        return [self._ack(ref) for ref in done]

    def drain(self) -> list[Ack]:
        """All acks under way, in one `ray.get`: the cheapest when there is nothing else to do meanwhile."""
        refs = list(self._under_way)
        try:
            acks = [decode_ack(ack) for ack in ray.get(refs)]
        except RayError:
            # One of them is gone: fetched one by one, the fault finds its name.
            return [self._ack(ref) for ref in refs]
        self._under_way.clear()
        return acks

    def settle(self) -> None:
        """Wait until every consumer has settled what it sent."""
        for shard, handle in self._consumers.items():
            with told(consumer_name(shard)):
                ray.get(handle.settle.remote())

    def _ack(self, ref: Any) -> Ack:
        shard = self._under_way.pop(ref)
        with told(consumer_name(shard)):
            return decode_ack(ray.get(ref))


class RayBroker:
    """The broker door."""

    def __init__(self, broker: Any) -> None:
        self._broker = broker
        self._under_way: list[Any] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayBroker, (self._broker,))

    def decide(self, request: Request) -> list[OrderEvent]:
        """Ask and wait."""
        with told("broker"):
            return decode_events(ray.get(self._broker.decide.remote(encode(request))))

    def submit(self, request: Request) -> None:
        """Ask without waiting; a fault of an earlier request is raised here or at the next settling."""
        if self._under_way:
            done, self._under_way = ray.wait(self._under_way, num_returns=len(self._under_way), timeout=0)
            with told("broker"):
                ray.get(done)
        self._under_way.append(self._broker.submit.remote(encode(request)))

    def close(self, session_ns: int) -> list[OrderEvent]:
        """End what is open, and wait."""
        with told("broker"):
            return decode_events(ray.get(self._broker.close.remote(session_ns)))

    def settle(self) -> None:
        """Wait for everything submitted."""
        under_way, self._under_way = self._under_way, []
        with told("broker"):
            ray.get(under_way)


class RayKeeper:
    """The keeper's letter box."""

    def __init__(self, keeper: Any) -> None:
        self._keeper = keeper
        self._under_way: list[Any] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayKeeper, (self._keeper,))

    def save(self, shard: int, checkpoint: bytes) -> None:  # noqa: ARG002 - the checkpoint names its shard
        """Send without waiting; a fault of an earlier one is raised here or at the next settling."""
        if self._under_way:
            done, self._under_way = ray.wait(self._under_way, num_returns=len(self._under_way), timeout=0)
            with told("keeper"):
                ray.get(done)
        self._under_way.append(self._keeper.save.remote(checkpoint))

    def settle(self) -> None:
        """Wait for everything sent."""
        under_way, self._under_way = self._under_way, []
        with told("keeper"):
            ray.get(under_way)


class RayLedger:
    """The ledger port."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def record(self, decisions: Sequence[Decision], events: Sequence[OrderEvent]) -> None:
        """Write, and wait for the commit."""
        with told("ledger"):
            ray.get(self._ledger.record.remote(decisions, events))

    def decisions(self) -> list[Decision]:
        """Every decision with its outcome."""
        with told("ledger"):
            found: list[Decision] = ray.get(self._ledger.decisions.remote())
        return found


class RayScanners:
    """The scanner door. `periods_s` are the scanners' periods: no call is made at a mark when none is due."""

    def __init__(self, scanner: Any, periods_s: Sequence[int], session_start_ns: int) -> None:
        self._scanner = scanner
        self._periods_s = tuple(periods_s)
        self._start_ns = session_start_ns
        self._under_way: Any = None

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        """Call without waiting, if any scanner is due."""
        elapsed_s = (mark_ns - self._start_ns) // SECOND_NS
        if elapsed_s <= 0 or not any(elapsed_s % period_s == 0 for period_s in self._periods_s):
            return False
        self._under_way = self._scanner.scan.remote(mark_ns, list(subscribed))
        return True

    def answers(self, wait: bool) -> list[ScanAnswer]:
        """What was asked for, once it is there."""
        if self._under_way is None:
            return []
        if not wait and not ray.wait([self._under_way], timeout=0)[0]:
            return []
        ref, self._under_way = self._under_way, None
        with told("scanner"):
            answers: list[ScanAnswer] = ray.get(ref)
        return answers

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """Ask and wait."""
        with told("scanner"):
            bars: dict[str, list[Bar]] = ray.get(self._scanner.history.remote(list(symbols), until_ns))
        return bars


class RayProducer:
    """The producer's inbox."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    def deliver(self, events: bytes) -> None:
        """Hand over, and wait until they are in the inbox."""
        with told("producer"):
            ray.get(self._producer.deliver.remote(events))
