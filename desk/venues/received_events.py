"""Counts of what a protocol receives, by class, and of what it skips.

Tests: tests/desk/venues/test_hostile_frames.py
"""

from collections import Counter
from collections.abc import Callable, Iterable

from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Event, class_of


def count_received(counts: BlockFeedCounts, events: Iterable[Event]) -> None:
    """Count events as received."""
    for kind, number in Counter(map(class_of, events)).items():
        counts.received[kind] += number


def skip_unwanted(events: list[Event], first: int, counts: BlockFeedCounts, is_wanted: Callable[[Event], bool]) -> None:
    """Remove the events from `first` on that are not wanted, and count them as skipped."""
    kept: list[Event] = []
    for event in events[first:]:
        if is_wanted(event):
            kept.append(event)
        else:
            kind = class_of(event)
            counts.received[kind] -= 1
            counts.skipped[kind] += 1
    events[first:] = kept
