"""The link under the lanes as calls to consumer actors. Bound methods are kept: making one costs per access.

Tests: tests/actors/test_on_ray.py
"""

import time
from collections.abc import Callable
from typing import Any, Final

import ray
from ray import ObjectRef
from ray.exceptions import RayError

from actors.calls.interfaces import ConsumerActor
from actors.calls.peers import LOOK_EVERY_S, PATIENCE_S, Peer, consumer_name, no_successor, ray_error_line
from desk.model.batch import Ack, News, ShardBack, ShardLost, decode_ack, decode_position
from desk.model.errors import ActorDied, DeskError
from desk.ports import AckWait, Wait

WAIT_S: Final = 0.05


class ShardLink:
    """One consumer: its incarnation called last, and since when it is missed."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.peer = Peer[ConsumerActor](consumer_name(shard))
        self.missed_s: float | None = None
        self.looked_s = 0.0
        self._apply: Callable[[bytes], ObjectRef[bytes]] | None = None

    def send(self, batch: bytes) -> ObjectRef[bytes]:
        """Call without waiting for the answer."""
        if self._apply is None:
            self._apply = self.peer.bound(ConsumerActor.apply)
        return self._apply(batch)

    def lost(self) -> None:
        """It is dead, or as good as: its process is ended, so that its successor is the only one."""
        self._apply = None
        self.missed_s = time.monotonic()
        self.peer.kill()
        self.peer.lost(self.peer.incarnation)

    def successor(self) -> ObjectRef[bytes] | None:
        """The call that asks a successor where it stands, once there is one. Raises ActorDied after PATIENCE_S."""
        now_s = time.monotonic()
        if self.missed_s is None or now_s - self.looked_s < LOOK_EVERY_S:
            return None
        self.looked_s = now_s
        if self.peer.find():
            return self.peer.call(ConsumerActor.position)
        if now_s - self.missed_s > PATIENCE_S:
            raise no_successor(self.peer.name)
        return None


class RayShardLinks:
    """Batches to consumer actors. One `ray.wait` over all calls under way learns of the acks."""

    def __init__(self) -> None:
        self._links: dict[int, ShardLink] = {}
        self._under_way: dict[ObjectRef[bytes], ShardLink] = {}
        self._coming: dict[ObjectRef[bytes], ShardLink] = {}
        self._told: list[News] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayShardLinks, ())

    def send(self, shard: int, batch: bytes) -> None:
        """Call the consumer without waiting."""
        link = self._links[shard]
        self._under_way[link.send(batch)] = link

    def wait(self, wait: Wait) -> list[News]:
        """Wait for this; the acks are in the order in which batches were sent per shard."""
        match wait.acks:
            case AckWait.SKIP:
                return []
            case AckWait.LOOK:
                return self._news(wait=False)
            case AckWait.ONE:
                return self._news(wait=True)
            case AckWait.ALL:
                return self._drain()
            case AckWait.SETTLED:
                self._settle()
                return self._news(wait=False)

    def _news(self, *, wait: bool) -> list[News]:
        """What is there, in the order in which it was sent per shard; with `wait` at least one."""
        while True:
            self._look()
            refs = [*self._under_way, *self._coming]
            if refs:
                timeout_s = WAIT_S if wait and not self._told else 0
                done, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
                if not done and timeout_s:
                    done, _ = ray.wait(refs, num_returns=1, timeout=timeout_s, fetch_local=False)
                for ref in done:
                    self._take(ref)
            elif wait and not self._told and self._missing():
                time.sleep(LOOK_EVERY_S)
            if self._told or not wait or not (refs or self._missing()):
                told, self._told = self._told, []
                return told

    def _drain(self) -> list[News]:
        """All acks under way, in one `ray.get`: the cheapest when there is nothing else to do meanwhile."""
        refs = list(self._under_way)
        if not refs or self._missing():
            return self._news(wait=True)
        try:
            acks: list[News] = [decode_ack(ack) for ack in ray.get(refs)]
        except RayError:
            # One of them is gone: taken one by one, the fault finds its shard.
            return self._news(wait=True)
        self._under_way.clear()
        told, self._told = self._told, []
        return told + acks

    def locate(self, shard: int) -> None:
        """Ask a consumer where it stands: at once where it is known to be there, else as soon as it is."""
        link = self._links.get(shard)
        if link is None:
            link = self._links[shard] = ShardLink(shard)
            link.missed_s = time.monotonic()
        elif link.missed_s is None:
            self._coming[link.peer.call(ConsumerActor.position)] = link

    def forget(self, shard: int) -> None:
        """Forget the consumer."""
        del self._links[shard]

    def _settle(self) -> None:
        """Wait until every consumer has settled what it sent; who dies meanwhile is told next."""
        for link in self._links.values():
            if link.missed_s is not None:
                continue
            try:
                ray.get(link.peer.call(ConsumerActor.settle))
            except RayError as error:
                self._lose(link, error)

    def _missing(self) -> bool:
        return any(link.missed_s is not None for link in self._links.values())

    def _look(self) -> None:
        """Ask successors that have come where they stand."""
        for link in self._links.values():
            if link.missed_s is not None and link not in self._coming.values():
                ref = link.successor()
                if ref is not None:
                    self._coming[ref] = link

    def _take(self, ref: ObjectRef[bytes]) -> None:
        link = self._under_way.pop(ref, None)
        if link is not None:
            try:
                self._told.append(_ack(ref))
            except RayError as error:
                self._lose(link, error)
        elif ref in self._coming:
            link = self._coming.pop(ref)
            try:
                position = decode_position(ray.get(ref))
            except RayError as error:
                self._not_located(link, error)
                return
            link.missed_s = None
            self._told.append(ShardBack(position))

    def _not_located(self, link: ShardLink, error: Exception) -> None:
        """It died before it said where it stands: its successor is asked."""
        if link.missed_s is None:
            self._lose(link, error)
        else:
            _raise_fault(error)
            link.peer.lost(link.peer.incarnation)

    def _lose(self, link: ShardLink, error: Exception) -> None:
        """Tell it once; whatever else is under way to it gets no ack.

        Raises what ends the run and was no death, such as a ledger or a disk that takes nothing more.
        """
        _raise_fault(error)
        for ref in [ref for ref, other in self._under_way.items() if other is link]:
            del self._under_way[ref]
        link.lost()
        self._told.append(ShardLost(link.shard, ray_error_line(error)))


def _raise_fault(error: Exception) -> None:
    """Raise what ends the run and was no death."""
    fault = getattr(error, "cause", None)
    if isinstance(fault, DeskError) and not isinstance(fault, ActorDied):
        raise fault from error


def _ack(ref: ObjectRef[bytes]) -> Ack:
    return decode_ack(ray.get(ref))
