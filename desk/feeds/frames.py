"""A feed's frames as an iterator, for benchmarks and tests: the desk itself waits and reads in the producer's loop.

Tests: tests/desk/feeds/test_replay.py
"""

from collections.abc import Generator

from desk.model.ticks import Frame
from desk.ports import Clock, Feed


def frames_of(feed: Feed, clock: Clock) -> Generator[Frame, None, None]:
    """Open the feed, and yield its frames as they are due, to its end. Closing the generator closes the feed."""
    feed.open()
    try:
        while not feed.ended:
            if feed.due_ns:
                clock.wait(feed.due_ns, () if feed.descriptor is None else (feed.descriptor,))
            if (frame := feed.read()) is not None:
                yield frame
    finally:
        feed.close()
