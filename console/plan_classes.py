"""Load every class that a plan names, before anything starts.

Tests: tests/test_configs.py
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from desk.config import Plan, ScannerPlan
from desk.loading import LoadEntry, ScannerFactory, StrategyFactory, load_scanner, try_in_child
from desk.model.plain_text import lines
from desk.wiring.shard_factory import load_entry


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


def _scanner(entry: ScannerPlan, place: str) -> ScannerFactory:
    return load_scanner(entry.use, entry.params, place)


def _print(text: str) -> None:
    sys.stderr.write(f"{lines(text)}\n")
    sys.stderr.flush()
