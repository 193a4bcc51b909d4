"""A shard's requests to the broker in lockstep: sent with an ack, kept, and sent again if they may be lost.

Tests: tests/desk/consumer/test_shard_recovery.py
"""

from functools import reduce

import msgspec

from desk.consumer.engine import Engine, Outcome
from desk.model.orders import Request


class LockstepState(msgspec.Struct, array_like=True):
    """The state of `LockstepReplies` in a checkpoint: requests taken out of the pending outcome, by rising mark."""

    requests: list[Request] = []


class LockstepReplies:
    """The requests of one shard, one per mark of the producer; each round of a close has a mark, too.

    They are taken out of the pending outcome. A producer has the requests of a mark decided before it sets the next
    mark, so only the requests sent last can be lost with it. The broker answers a repeated request with the same
    events.
    """

    def __init__(self) -> None:
        self.asked = LockstepState()
        self._given = 0

    def restore(self, asked: LockstepState, engine: Engine, pending: Outcome) -> None:
        """Restore from a checkpoint: requests sent before it are sent again.

        A checkpoint is taken before its request is sent: the pending outcome belongs to the checkpoint's mark.
        """
        self.asked = asked
        self._given = 0
        self.put_by(engine, pending)

    def begin(self, engine: Engine, pending: Outcome) -> None:
        """Start with a restarted producer, which repeats marks of its predecessor.

        Stores the pending request of the shard's last mark. Intents that follow - caused by order events that the new
        producer sends first, or by ticks of the unfinished second - belong to the next mark, or to the close.
        """
        self._given = 0
        self.put_by(engine, pending)

    def put_by(self, engine: Engine, pending: Outcome) -> None:
        """Store the pending request of the engine's mark, unless it is stored: later items belong to the next mark.

        Called before a slot is adopted, too: the slot's requests of this mark were sent by its former shard.
        """
        if self._last_ns < engine.mark_ns:
            self._keep(engine, pending, engine.mark_ns)

    def take(self, engine: Engine, pending: Outcome, mark_ns: int) -> Request:
        """The reply to a producer whose last mark is `mark_ns`: the requests up to that mark."""
        if self._last_ns < mark_ns >= engine.mark_ns:
            self._keep(engine, pending, mark_ns)
        due = [request for request in self.asked.requests[self._given :] if request.mark_ns <= mark_ns]
        self._given += len(due)
        return reduce(_joined, due) if due else Request(mark_ns=engine.mark_ns)

    @property
    def _last_ns(self) -> int:
        return self.asked.requests[-1].mark_ns if self.asked.requests else -1

    def _keep(self, engine: Engine, pending: Outcome, mark_ns: int) -> None:
        """Store the pending outcome as a request of this mark; drop sent requests of earlier marks, which are decided.

        Requests of a close's rounds are kept, so that a restarted producer repeats the same rounds.
        """
        requests = self.asked.requests
        decided = sum(request.mark_ns < engine.mark_ns for request in requests[: self._given])
        self.asked.requests = [*requests[decided:], pending.take_request(engine.prices(), mark_ns)]
        self._given -= decided


def _joined(first: Request, then: Request) -> Request:
    """Both requests in one, with mark and prices of the later one."""
    return Request(
        first.intents + then.intents,
        first.reports + then.reports,
        then.prices,
        then.mark_ns,
        first.traceparent or then.traceparent,
    )
