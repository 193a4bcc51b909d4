"""Top movers: symbols that are furthest from their opening price."""

from typing import Annotated

import numpy as np
from msgspec import Meta

from desk import strategy
from desk.scanner import MarketSnapshot, Scanner
from strategies.scanners.ranking import best_first


class TopMovers(Scanner):
    """Wants the symbols that moved at least `min_change` from the session's open, up or down."""

    class Params(strategy.Params, frozen=True):
        """`min_change` is a fraction: 0.01 is one percent; `min_price` in dollars."""

        min_price: Annotated[float, Meta(ge=0)] = 5.0
        min_change: Annotated[float, Meta(ge=0)] = 0.01

    params: Params

    def scan(self, market: MarketSnapshot) -> list[str]:
        opened = market.open > 0
        change = np.abs(np.divide(market.price, market.open, out=np.ones_like(market.price), where=opened) - 1)
        wanted = opened & (market.price >= self.params.min_price) & (change >= self.params.min_change)
        return best_first(market.symbols, change, wanted)
