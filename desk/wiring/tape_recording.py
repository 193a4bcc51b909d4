"""Records the feed of a plan to a tape, without a desk.

Tests: tests/console/test_console_tape.py
"""

import select
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from desk.config import Plan
from desk.feeds.live.socket_feed import SocketFeed
from desk.model.units import MS_NS, SECOND_NS
from desk.ports import Clock, Feed
from desk.tape.writer import TapeWriter
from desk.wiring import markets
from desk.wiring.plan_session import derive_session

LOOK_NS: Final = 200 * MS_NS


def record_feed(
    plan: Plan,
    tape: Path,
    clock: Clock,
    stopped: Callable[[], bool],
    on_frame: Callable[[int, Feed], None],
) -> int:
    """Write the ticks of the plan's symbols to a tape until the session ends, or `stopped`; return their number.

    Received times are session times: a live feed's may be those of a venue that plays another day. `on_frame` gets the
    rows so far. Raises the errors of the feed, and TapeError; the tape has what came before.
    """
    source = markets.market_source(plan)
    session = derive_session(plan, source, clock)
    if source is not None:
        source = markets.session_source(source, session)
    feed = markets.market_feed(plan, session, source, clock)
    feed.subscribe(plan.feed.symbols)
    writer = TapeWriter(tape)
    try:
        feed.open()
        while not (stopped() or feed.ended):
            _wait(feed, clock)
            frame = feed.read()
            if frame is not None and frame.ticks:
                writer.write_ticks(frame.ticks, np.full(len(frame.ticks), frame.session_ns) if source is None else None)
            on_frame(writer.rows, feed)
    finally:
        feed.close()
        if writer.rows:
            writer.close()
        else:
            writer.discard()
    return writer.rows


def feed_notes(feed: Feed) -> list[str]:
    """New lines of a live feed for the log."""
    return [note.text for note in feed.take_notes()] if isinstance(feed, SocketFeed) else []


def _wait(feed: Feed, clock: Clock) -> None:
    """Wait until the feed's next read is due, or has data, for LOOK_NS at most."""
    wait_ns = min(feed.due_ns - clock.wall_ns(), LOOK_NS) if feed.due_ns else 0
    if wait_ns > 0:
        descriptors = [] if feed.descriptor is None else [feed.descriptor]
        select.select(descriptors, [], [], wait_ns / SECOND_NS)
