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


def skip_unwanted(
    events: list[Event], first: int, counts: BlockFeedCounts, is_wanted: Callable[[str, str], bool]
) -> None:
    """Remove the events from `first` on that `is_wanted(class, symbol)` does not want, and count them as skipped."""
    kept: list[Event] = []
    for event in events[first:]:
        kind = class_of(event)
        if is_wanted(kind, event.symbol):
            kept.append(event)
        else:
            counts.received[kind] -= 1
            counts.skipped[kind] += 1
    events[first:] = kept
