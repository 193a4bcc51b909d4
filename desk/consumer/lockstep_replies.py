"""What a shard asks of the broker in lockstep: given with an ack, kept, and given again where that may be lost."""

from functools import reduce

import msgspec

from desk.consumer.engine import Engine
from desk.model.orders import Request


class Asked(msgspec.Struct, array_like=True):
    """What `Replies` leave with a checkpoint.

    `requests` were taken out of the engine, by rising mark; `held_ns` is the mark after which the engine's own waits.
    """

    requests: list[Request] = []
    held_ns: int | None = None


class Replies:
    """The requests of one shard, each in its own mark of the producer's time.

    A producer decides what it was given at a mark before it goes on to the next, so no more than what was given last
    may be lost with it. The broker answers what it decided before with the same events.
    """

    def __init__(self) -> None:
        self.asked = Asked()
        self._given = 0

    def restore(self, asked: Asked, engine: Engine) -> None:
        """Go on from a checkpoint: what was given before it is given again.

        A checkpoint comes before its request: what the engine has is of its mark, whoever asks for it and when.
        """
        self.asked = asked
        self._put_by(engine)
        self._given = 0

    def begin(self, engine: Engine) -> None:
        """Start anew with another producer, which comes once more to marks that its predecessor set.

        What belongs to the shard's last mark is put by now. What follows it - in order events that the new producer
        gives first, in ticks of the second that was under way - belongs to the mark after, or to the close.
        """
        self._put_by(engine)
        self.asked.held_ns = engine.mark_ns
        self._given = 0

    def take(self, engine: Engine, mark_ns: int) -> Request:
        """What to answer a producer whose last mark is `mark_ns`: nothing that it has not come to yet."""
        asked = self.asked
        due = [request for request in asked.requests[self._given :] if request.mark_ns <= mark_ns]
        self._given += len(due)
        held = engine.mark_ns == asked.held_ns and not engine.closed
        if engine.mark_ns > mark_ns or held:
            return reduce(_joined, due, Request()) if due else Request(mark_ns=engine.mark_ns)
        answer = engine.take_request()
        last = asked.requests[-1:]
        same = last and last[0].mark_ns == answer.mark_ns
        asked.requests = _with(due or (last if same else []), answer)
        asked.held_ns = None
        self._given = len(asked.requests)
        return reduce(_joined, [*due, answer])

    def _put_by(self, engine: Engine) -> None:
        asked = self.asked
        if engine.closed or not asked.requests or asked.requests[-1].mark_ns != engine.mark_ns:
            asked.requests = _with(asked.requests, engine.take_request())


def _with(requests: list[Request], more: Request) -> list[Request]:
    """These requests and one more, in one with the last if that is of the same mark."""
    if requests and requests[-1].mark_ns == more.mark_ns:
        return [*requests[:-1], _joined(requests[-1], more)]
    return [*requests, more]


def _joined(first: Request, then: Request) -> Request:
    """Both in one, as of the later one's mark: the prices are its own."""
    return Request(first.intents + then.intents, first.reports + then.reports, then.prices, then.mark_ns)
