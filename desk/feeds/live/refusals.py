"""Messages about subscriptions that a venue rejects.

Tests: tests/desk/feeds/live/test_feed_reports.py
"""

from collections.abc import Collection, Mapping

from desk.model.notes import Note
from desk.producer.feed_watch.feed_problems import refusal
from desk.telemetry import formatting


def refusal_notes(place: str, before: Mapping[str, Collection[str]], now: Mapping[str, Collection[str]]) -> list[Note]:
    """A note for each channel in which symbols were newly refused, or are refused no longer."""
    notes = []
    for channel in sorted(before.keys() | now.keys()):
        old, new = set(before.get(channel, ())), set(now.get(channel, ()))
        if new - old:
            notes.append(Note(refusal(place, channel, new - old), "error"))
        if old - new:
            notes.append(Note(f"{place}: no longer refused: the {channel} of {formatting.names(old - new)}"))
    return notes
