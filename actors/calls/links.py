"""The shard links of the lanes, as calls to consumer actors. Bound methods are cached: binding costs per access.

Tests: tests/actors/test_on_ray.py
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import ray
from ray import ObjectRef
from ray.exceptions import RayError

from actors.calls.interfaces import ConsumerActor
from actors.calls.peers import LOOK_EVERY_S, PATIENCE_S, Peer, consumer_name, no_successor, ray_error_line
from desk.model.batch import Ack, News, ShardBack, ShardLost, decode_ack, decode_position
from desk.model.errors import ActorDied, DeskError
from desk.model.units import SECOND_NS
from desk.ports import AckWait, Wait
from desk.process.clock import SystemClock

WAIT_S: Final = 0.05
LOOK_EVERY_NS: Final = round(LOOK_EVERY_S * SECOND_NS)


class ShardLink:
    """One consumer: the incarnation last called, and since when it is down."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.peer = Peer[ConsumerActor](consumer_name(shard))
        self.missed_s: float | None = None
        self.looked_s = 0.0
        self._apply: Callable[[bytes], ObjectRef[bytes]] | None = None

    def send(self, batch: bytes) -> ObjectRef[bytes]:
        """Call the consumer without waiting for the ack."""
        if self._apply is None:
            self._apply = self.peer.bound(ConsumerActor.apply)
        return self._apply(batch)

    def lost(self) -> None:
        """Mark the incarnation as dead and kill its process, so that no two incarnations run."""
        self._apply = None
        self.missed_s = time.monotonic()
        self.peer.kill()
        self.peer.lost(self.peer.incarnation)

    def successor(self) -> ObjectRef[bytes] | None:
        """Request a successor's position, if a successor exists; None if not. Raises ActorDied after PATIENCE_S."""
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
    """Send batches to consumer actors; receive acks by one `ray.wait` over all pending calls.

    A pickled copy is empty: the links belong to one process.
    """

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._links: dict[int, ShardLink] = {}
        self._pending: dict[ObjectRef[bytes], ShardLink] = {}
        self._locating: dict[ObjectRef[bytes], ShardLink] = {}
        self._news_ready: list[News] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return (RayShardLinks, ())

    def send(self, shard: int, batch: bytes) -> None:
        """Call the consumer without waiting for the ack."""
        link = self._links[shard]
        self._pending[link.send(batch)] = link

    def wait(self, wait: Wait, descriptors: Sequence[int] = ()) -> list[News]:
        """Wait as `wait` says; return acks per shard in the order in which its batches were sent."""
        if wait.until_ns:
            self._clock.wait(wait.until_ns, descriptors)
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
        """Return the news so far, per shard in sending order; with `wait` at least one item."""
        while True:
            self._look()
            refs = [*self._pending, *self._locating]
            if refs:
                timeout_s = WAIT_S if wait and not self._news_ready else 0
                done, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
                if not done and timeout_s:
                    done, _ = ray.wait(refs, num_returns=1, timeout=timeout_s, fetch_local=False)
                for ref in done:
                    self._take(ref)
            elif wait and not self._news_ready and self._missing():
                self._clock.wait(self._clock.wall_ns() + LOOK_EVERY_NS)
            if self._news_ready or not wait or not (refs or self._missing()):
                ready, self._news_ready = self._news_ready, []
                return ready

    def _drain(self) -> list[News]:
        """Wait for all pending acks in one `ray.get`, the cheapest call when nothing else has to be done."""
        refs = list(self._pending)
        if not refs or self._missing():
            return self._news(wait=True)
        try:
            acks: list[News] = [decode_ack(ack) for ack in ray.get(refs)]
        except RayError:
            # One consumer died: taking acks one by one finds which.
            return self._news(wait=True)
        self._pending.clear()
        ready, self._news_ready = self._news_ready, []
        return ready + acks

    def locate(self, shard: int) -> None:
        """Request a consumer's position: now if it is running, else when its successor starts."""
        link = self._links.get(shard)
        if link is None:
            link = self._links[shard] = ShardLink(shard)
            link.missed_s = time.monotonic()
        elif link.missed_s is None:
            self._locating[link.peer.call(ConsumerActor.position)] = link

    def forget(self, shard: int) -> None:
        """Drop the link to this consumer."""
        del self._links[shard]

    def _settle(self) -> None:
        """Wait until every consumer has settled; a death in the meantime is reported by the next call."""
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
        """Request the positions of successors that have started."""
        for link in self._links.values():
            if link.missed_s is not None and link not in self._locating.values():
                ref = link.successor()
                if ref is not None:
                    self._locating[ref] = link

    def _take(self, ref: ObjectRef[bytes]) -> None:
        link = self._pending.pop(ref, None)
        if link is not None:
            try:
                self._news_ready.append(_ack(ref))
            except RayError as error:
                self._lose(link, error)
        elif ref in self._locating:
            link = self._locating.pop(ref)
            try:
                position = decode_position(ray.get(ref))
            except RayError as error:
                self._not_located(link, error)
                return
            link.missed_s = None
            self._news_ready.append(ShardBack(position))

    def _not_located(self, link: ShardLink, error: Exception) -> None:
        """The consumer died before it answered: request the position of its successor."""
        if link.missed_s is None:
            self._lose(link, error)
        else:
            _raise_fault(error)
            link.peer.lost(link.peer.incarnation)

    def _lose(self, link: ShardLink, error: Exception) -> None:
        """Report the loss once; the shard's other pending batches get no ack.

        Raises errors that end the run, such as a failure of the ledger or a full disk.
        """
        _raise_fault(error)
        for ref in [ref for ref, other in self._pending.items() if other is link]:
            del self._pending[ref]
        link.lost()
        self._news_ready.append(ShardLost(link.shard, ray_error_line(error)))


def _raise_fault(error: Exception) -> None:
    """Raise the error if it ends the run, that is, if it is not a death."""
    fault = getattr(error, "cause", None)
    if isinstance(fault, DeskError) and not isinstance(fault, ActorDied):
        raise fault from error


def _ack(ref: ObjectRef[bytes]) -> Ack:
    return decode_ack(ray.get(ref))
