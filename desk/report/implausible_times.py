"""Detects implausible times of ticks from the accounting.

Tests: tests/desk/inprocess/test_in_process_times.py
"""

from collections.abc import Mapping

from desk.model.ticks import EventClass
from desk.report.summary import ClassCounts
from desk.telemetry import formatting

IMPLAUSIBLE = {
    "late": "arrived later than [bars] revise_s allows",
    "time": "have an invalid time: none, or far ahead of the time received",
}
REMEDY = "Check the time zone and the unit of the venue's times (`ts_ns`): local time taken for UTC looks like this."


def implausible_times(ticks: Mapping[EventClass, ClassCounts], ahead: int) -> list[str]:
    """A line for each cause of more than half of a class; `ahead`: trades stamped ahead by an hour or more."""
    lines = []
    for kind, counts in ticks.items():
        for cause, text in IMPLAUSIBLE.items():
            lines += _line(
                kind, counts.rejected.get(cause, 0), counts.received, text, f", and were rejected as {cause}"
            )
        if kind_symbols := counts.rejected.get("symbols", 0):
            lines.append(
                f"{formatting.count(kind_symbols)} {kind} were of more different symbols than a session takes, and "
                "were rejected as symbols. Check what the venue sends."
            )
    return lines + _line("trades", ahead, ticks["trades"].received, "are stamped an hour or more ahead of the session")


def _line(kind: str, ticks: int, received: int, text: str, outcome: str = "") -> list[str]:
    if 2 * ticks <= received:
        return []
    share = "all" if ticks >= received else f"{formatting.count(ticks)} of {formatting.count(received)}"
    return [f"{share} {kind} {text}{outcome}. {REMEDY}"]
