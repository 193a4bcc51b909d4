"""What a shard asks of the broker in lockstep: given with an ack, kept, and given again where that may be lost.

Tests: tests/desk/consumer/test_shard_recovery.py
"""

from functools import reduce

import msgspec

from desk.consumer.engine import Engine, Outcome
from desk.model.orders import Request


class LockstepState(msgspec.Struct, array_like=True):
    """What `LockstepReplies` leave with a checkpoint: requests taken out of the pending ones, by rising mark."""

    requests: list[Request] = []


class LockstepReplies:
    """The requests of one shard, each in its own mark of the producer's time; the rounds of a close have marks, too.

    They are taken out of what is `pending`. A producer decides what it was given at a mark before it goes on to the
    next, so no more than what was given last may be lost with it. The broker answers what it decided before with the
    same events.
    """

    def __init__(self) -> None:
        self.asked = LockstepState()
        self._given = 0

    def restore(self, asked: LockstepState, engine: Engine, pending: Outcome) -> None:
        """Go on from a checkpoint: what was given before it is given again.

        A checkpoint comes before its request: what is pending is of its mark, no matter when it is asked for.
        """
        self.asked = asked
        self._given = 0
        self.put_by(engine, pending)

    def begin(self, engine: Engine, pending: Outcome) -> None:
        """Start anew with another producer, which comes once more to marks that its predecessor set.

        What belongs to the shard's last mark is put by now. What follows it - in order events that the new producer
        gives first, in ticks of the second that was under way - belongs to the mark after, or to the close.
        """
        self._given = 0
        self.put_by(engine, pending)

    def put_by(self, engine: Engine, pending: Outcome) -> None:
        """Put by what belongs to the engine's mark, where that was not done: whatever is applied next follows it.

        Before a slot comes in, too: its requests at this mark were asked for where it was, and the rest is of the next.
        """
        if self._last_ns < engine.mark_ns:
            self._keep(engine, pending, engine.mark_ns)

    def take(self, engine: Engine, pending: Outcome, mark_ns: int) -> Request:
        """What to answer a producer whose last mark is `mark_ns`: nothing that it has not come to yet."""
        if self._last_ns < mark_ns >= engine.mark_ns:
            self._keep(engine, pending, mark_ns)
        due = [request for request in self.asked.requests[self._given :] if request.mark_ns <= mark_ns]
        self._given += len(due)
        return reduce(_joined, due) if due else Request(mark_ns=engine.mark_ns)

    @property
    def _last_ns(self) -> int:
        return self.asked.requests[-1].mark_ns if self.asked.requests else -1

    def _keep(self, engine: Engine, pending: Outcome, mark_ns: int) -> None:
        """Keep what is pending as a request of this mark. What was given at earlier ones is decided.

        That of a close's rounds is given again, so that a producer that closes once more comes to the same rounds.
        """
        requests = self.asked.requests
        decided = sum(request.mark_ns < engine.mark_ns for request in requests[: self._given])
        self.asked.requests = [*requests[decided:], pending.take_request(engine.prices(), mark_ns)]
        self._given -= decided


def _joined(first: Request, then: Request) -> Request:
    """Both in one, as of the later one's mark: the prices are its own."""
    return Request(first.intents + then.intents, first.reports + then.reports, then.prices, then.mark_ns)
