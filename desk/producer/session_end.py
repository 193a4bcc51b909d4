"""The end of a session: drain, close, and save.

Tests: tests/desk/producer/test_last_mark.py
"""

from typing import Final

from desk.model.items import Close
from desk.ports import AckWait, Wait, Waits
from desk.producer.pacing import Pacing
from desk.producer.parts import ProducerConfig, ProducerParts, ProducerPorts

NEVER_NS: Final = 1 << 62


def session_end(config: ProducerConfig, ports: ProducerPorts, parts: ProducerParts, pacing: Pacing) -> Waits:
    """Drain the lanes and close the session, until there are no more requests and everything is durable."""
    lanes, session_ns = parts.lanes, parts.progress.session_ns
    parts.moves.drop_requests()
    yield from pacing.between_marks(NEVER_NS)
    while parts.moves.under_way:
        yield from lanes.flush()
    yield from parts.repairs.finish(session_ns, ports.clock)
    parts.router.put_items(parts.repairs.rest())
    yield from _begin_close(config, ports, parts)
    if not config.lockstep:
        yield from _settle(config, parts)
    lanes.put(Close(session_ns))
    yield from _settle(config, parts, closing=True)
    parts.router.give(ports.broker.close(session_ns))
    yield from _settle(config, parts, closing=True)
    yield from lanes.checkpoint_until(lambda lane: lane.durable)
    parts.recording.end()


def _begin_close(config: ProducerConfig, ports: ProducerPorts, parts: ProducerParts) -> Waits:
    """Save the state of shards and ledger: until the results are written, a resume continues from here.

    In lockstep the shards apply the last order events here, and the close requests what follows from them, as the next
    mark would: an earlier request would be a round of its own.
    """
    if config.lockstep:
        yield from parts.lanes.flush()
    else:
        yield from _settle(config, parts)
    yield from parts.lanes.checkpoint_until(lambda lane: lane.durable)
    ports.broker.begin_close(parts.progress.session_ns)


def _settle(config: ProducerConfig, parts: ProducerParts, *, closing: bool = False) -> Waits:
    """Wait until everything is sent, acknowledged and decided, and all order events are delivered."""
    while True:
        if config.lockstep:
            yield from parts.lockstep.exchange(parts.progress.session_ns, closing=closing)
        else:
            yield from parts.lanes.flush()
            yield Wait(AckWait.SETTLED)
        events = parts.deliveries.waiting()
        parts.router.give(events)
        if not events and parts.lanes.idle:
            return
