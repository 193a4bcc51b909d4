"""The start of a producer: of a new session, or of one that an earlier producer has left.

Tests: tests/desk/inprocess/test_recovery.py
"""

from desk.flow.routing_table import slot_of
from desk.ports import Waits
from desk.producer.parts import Beginning, ProducerConfig, ProducerParts, ProducerPorts


def session_start(config: ProducerConfig, ports: ProducerPorts, parts: ProducerParts, beginning: Beginning) -> Waits:
    """Open the lanes, request the shards' positions, and subscribe the symbols of the plan or of the saved state."""
    feed, progress, state = ports.feed, parts.progress, beginning.state
    positions = yield from parts.enlisting.locate(beginning.shards)
    for position in positions:
        lane = parts.opening.open(position, None if feed.lossless else position.lane)
        lane.mark_ns = 0 if state is None else state.mark_ns
        parts.moves.used.update(map(slot_of, position.watched))
    parts.moves.is_closed = any(position.closed for position in positions)
    read_again = feed.repeatable and not feed.lossless
    if any(position.adopted or position.released or (read_again and position.ordinals) for position in positions):
        # Moves, and ticks that are read again, are decided by positions that no shard can fall behind any more.
        yield from parts.lanes.checkpoint_until(lambda lane: lane.confirmed)
        positions = yield from parts.enlisting.locate(beginning.shards)
    parts.moves.recover(positions, parts.lanes.by_shard, ports.clock.wall_ns())
    since_ns = progress.session_ns if config.lockstep else 0
    decided_ns = parts.deliveries.request_missing(since_ns, lossless=feed.lossless)
    mark_ns = max(decided_ns, *(position.mark_ns for position in positions))
    progress.marked = progress.marked or mark_ns > 0
    parts.catch_up.begin(positions, parts.lanes.closed.values(), config.session_start_ns, mark_ns)
    if state is None:
        if config.waits:
            parts.notes.add(config.waits)
        parts.router.put_items(parts.watching.begin(config.session_start_ns, warm=config.history_from_start))
    feed.subscribe(parts.subscriptions.most_wanted_first())
    parts.router.give(parts.deliveries.due(progress.session_ns if feed.lossless else None))
    if state is not None:
        parts.notes.add(f"the producer continues from the mark at {state.mark_ns}")
        parts.router.put_items(parts.watching.resume(state.mark_ns))
    if feed.lossless:
        yield from parts.history.wait(ports.clock, progress.session_ns)
        parts.router.put_items(parts.history.take_ready())
    else:
        parts.history.ask(progress.session_ns, ports.clock.wall_ns())
