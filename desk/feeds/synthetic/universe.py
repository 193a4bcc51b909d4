"""The universe: the symbols of the synthetic market and their properties."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

MIN_PRICE, MAX_PRICE = 5.0, 400.0
REGULAR_SESSION_S = 390 * 60
DAILY_VOLATILITY = (0.012, 0.045)


@dataclass(frozen=True, slots=True)
class Universe:
    """The listed symbols, most active first; all arrays are aligned with `names`.

    `share` is the part of the market's activity (sums to 1), `price` the first efficient price,
    `volatility` the log return's deviation per square root of a second, `spread_bps` the spread that
    market makers aim at, in 1/10,000 of the price.
    """

    names: tuple[str, ...]
    share: NDArray[np.float64]
    price: NDArray[np.float64]
    volatility: NDArray[np.float64]
    spread_bps: NDArray[np.float64]

    @classmethod
    def draw(cls, symbols: int, rng: np.random.Generator) -> Self:
        """Zipf activity with exponent 1, prices log-uniform; the quieter, the wider and the more volatile."""
        rank = np.arange(symbols)
        weight = 1.0 / (1.0 + rank)
        quietness = rank / symbols
        least, most = DAILY_VOLATILITY
        daily = (least + (most - least) * quietness) * np.exp(0.25 * rng.standard_normal(symbols))
        return cls(
            names=symbol_names(symbols),
            share=weight / weight.sum(),
            price=np.exp(rng.uniform(np.log(MIN_PRICE), np.log(MAX_PRICE), symbols)),
            volatility=daily / np.sqrt(REGULAR_SESSION_S),
            spread_bps=1.0 + 7.0 * quietness,
        )

    def __len__(self) -> int:
        return len(self.names)


def symbol_names(symbols: int) -> tuple[str, ...]:
    """SYN0000, SYN0001, … with one digit more above 10,000 symbols."""
    width = 4 if symbols <= 10_000 else 5
    return tuple(f"SYN{number:0{width}d}" for number in range(symbols))
