"""Every class that a plan names, loaded once before anything starts."""

from dataclasses import dataclass
from pathlib import Path

from desk.config import Plan
from desk.loading import ScannerFactory, StrategyFactory, load_scanner, load_strategy


@dataclass(frozen=True)
class Loaded:
    """The factories of a plan's entries, in the plan's order."""

    strategies: list[StrategyFactory]
    scanners: list[ScannerFactory]


def load_all(path: Path, plan: Plan) -> Loaded:
    """Load the plan's strategies, then its scanners. Raises StrategyError for the first that cannot be used."""
    return Loaded(
        [
            load_strategy(entry.use, entry.params, f"{path}, [[strategies]] #{number}")
            for number, entry in enumerate(plan.strategies, 1)
        ],
        [
            load_scanner(entry.use, entry.params, f"{path}, [[scanners]] #{number}")
            for number, entry in enumerate(plan.scanners, 1)
        ],
    )
