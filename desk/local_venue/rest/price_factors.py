"""Factors by which corporate actions change the prices of earlier days.

Rules: docs.alpaca.markets, "Historical bars", parameter `adjustment`.

Tests: tests/desk/local_venue/test_market_past.py
"""

from collections.abc import Callable, Sequence
from datetime import date
from math import isfinite, prod
from typing import Literal

from desk.model.corporate_actions import CorporateAction

Adjustment = Literal["raw", "split", "dividend", "all"]


class PriceFactors:
    """Splits and cash dividends by symbol."""

    def __init__(self, actions: Sequence[CorporateAction]) -> None:
        self._actions: dict[str, list[CorporateAction]] = {}
        for action in actions:
            self._actions.setdefault(action.symbol, []).append(action)

    def split(self, symbol: str, day: date, today: date) -> float:
        """New shares for one share of `day`, by the splits effective after it and until `today`."""
        return prod(action.new_shares / action.old_shares for action in self._between(symbol, day, today))

    def adjusting(
        self, symbol: str, day: date, today: date, adjustment: Adjustment, close_before: Callable[[date], float]
    ) -> tuple[float, float]:
        """The factors of raw prices and of raw volumes of `day`.

        A dividend multiplies earlier prices by 1 - cash / close of the day before it. `close_before` gives that close,
        NaN where it is unknown.
        """
        split = self.split(symbol, day, today)
        price = 1.0
        if adjustment in {"dividend", "all"}:
            for action in self._between(symbol, day, today):
                close = close_before(action.effective) if action.cash else float("nan")
                if isfinite(close) and close > action.cash:
                    price *= 1 - action.cash / close
        if adjustment in {"split", "all"}:
            return price / split, split
        return price, 1.0

    def _between(self, symbol: str, day: date, today: date) -> list[CorporateAction]:
        return [action for action in self._actions.get(symbol, ()) if day < action.effective <= today]
