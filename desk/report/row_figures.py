"""The report page's figures of bars and decisions, counted from their rows."""

from collections import Counter
from collections.abc import Iterable
from typing import Self, get_args

import msgspec

from desk.model.bars import Bar, BarFlag
from desk.model.records import Decision
from desk.model.units import MS_NS


class StrategyFigures(msgspec.Struct):
    """The decisions of one strategy, by outcome (refusals by reason: `refused: <reason>`)."""

    strategy: str
    decisions: int = 0
    symbols: int = 0
    outcomes: dict[str, int] = {}
    max_data_age_ms: float = 0.0


class RowFigures(msgspec.Struct):
    """Bars and decisions of a run.

    `bars` by flag, `trades_by_minute` summed over all symbols (minute_ns, rising → trades), `strategies` by name.
    """

    bars: dict[BarFlag, int] = {}
    symbols: int = 0
    trades_by_minute: dict[int, int] = {}
    strategies: list[StrategyFigures] = []

    @classmethod
    def of(cls, bars: Iterable[Bar], decisions: Iterable[Decision]) -> Self:
        """Count priced bars and all decisions."""
        flags: Counter[BarFlag] = Counter()
        minutes: Counter[int] = Counter()
        symbols: set[str] = set()
        for bar in bars:
            if bar.priced:
                flags[bar.flags] += 1
                minutes[bar.minute_ns] += bar.trades
                symbols.add(bar.symbol)
        by_flag: dict[BarFlag, int] = {flag: flags[flag] for flag in get_args(BarFlag)}
        return cls(by_flag, len(symbols), dict(sorted(minutes.items())), _by_strategy(decisions))


def _by_strategy(decisions: Iterable[Decision]) -> list[StrategyFigures]:
    rows: dict[str, list[Decision]] = {}
    for decision in decisions:
        rows.setdefault(decision.intent.strategy, []).append(decision)
    return [_strategy(name, rows[name]) for name in sorted(rows)]


def _strategy(name: str, decisions: list[Decision]) -> StrategyFigures:
    return StrategyFigures(
        strategy=name,
        decisions=len(decisions),
        symbols=len({decision.intent.symbol for decision in decisions}),
        outcomes=dict(Counter(decision.outcome for decision in decisions).most_common()),
        max_data_age_ms=max(decision.intent.data_age_ns for decision in decisions) / MS_NS,
    )
