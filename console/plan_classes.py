"""Load every class that a plan names, before anything starts.

Tests: tests/test_configs.py
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from desk.config import Plan, ScannerPlan
from desk.loading import LoadEntry, ScannerFactory, StrategyFactory, load_entry, load_scanner, try_in_child
from desk.loading.volume_use import uses_volume
from desk.model.plain_text import lines
from desk.telemetry import formatting


@dataclass(frozen=True)
class PlanClasses:
    """The factories of a plan's entries, in the plan's order."""

    strategies: list[StrategyFactory]
    scanners: list[ScannerFactory]


def load_classes(path: Path, plan: Plan) -> PlanClasses:
    """Load the plan's strategies, then its scanners. Raises StrategyError for the first that cannot be used.

    A child process loads them first, because their code may end its process.
    """
    strategies = {f"{path}, [[strategies]] #{number}": entry for number, entry in enumerate(plan.strategies, 1)}
    scanners = {f"{path}, [[scanners]] #{number}": entry for number, entry in enumerate(plan.scanners, 1)}
    try_in_child(
        [
            *(LoadEntry(place, entry.use, partial(load_entry, entry, place)) for place, entry in strategies.items()),
            *(LoadEntry(place, entry.use, partial(_scanner, entry, place)) for place, entry in scanners.items()),
        ],
        _print,
    )
    return PlanClasses(
        [load_entry(entry, place) for place, entry in strategies.items()],
        [_scanner(entry, place) for place, entry in scanners.items()],
    )


def volume_warnings(plan: Plan, classes: PlanClasses) -> list[str]:
    """A warning if classes of the plan read volumes, which the feed has for a part of the market only."""
    stream = plan.feed.stream
    if stream is None or not stream.is_partial:
        return []
    strategies = zip(plan.strategies, classes.strategies, strict=True)
    scanners = zip(plan.scanners, classes.scanners, strict=True)
    users = [entry.name for entry, factory in strategies if uses_volume(factory.cls)]
    users += [entry.name for entry, factory in scanners if uses_volume(factory.cls)]
    if not users:
        return []
    feed, verb = f"{plan.feed.kind} {plan.feed.feed_name}", "reads" if len(users) == 1 else "read"
    what = f"has those of {stream.about}: they are lower than the market's"
    return [f"{formatting.names(users)} {verb} volumes, and the feed {feed} {what}"]


def _scanner(entry: ScannerPlan, place: str) -> ScannerFactory:
    return load_scanner(entry.use, entry.params, place)


def _print(text: str) -> None:
    sys.stderr.write(f"{lines(text)}\n")
    sys.stderr.flush()
