"""Prints: sizes, exchanges and conditions, as the consolidated tape shows them."""

import numpy as np
from numpy.typing import NDArray

EXCHANGES = ("D", "N", "Q", "P", "K", "Z", "V", "Y", "J", "B")
"""Participant codes of the consolidated tape; D is FINRA's facility for trades off exchange."""
OFF_EXCHANGE = 0

ROUND_LOT = 100
LARGEST_LOTS = 5_000
SWEEP_CHANCE = 0.3
EXTENDED_CHANCE = 0.001

SWEEP, EXTENDED, ODD_LOT, OUT_OF_SEQUENCE = 1, 2, 4, 8
"""Bits of a trade's condition code: its index in CONDITION_CODES."""


def _letters(code: int) -> str:
    return (
        ("F" if code & SWEEP else "@")
        + ("T" if code & EXTENDED else "")
        + ("I" if code & ODD_LOT else "")
        + ("Z" if code & OUT_OF_SEQUENCE else "")
    )


CONDITION_CODES = tuple(_letters(code) for code in range(16))

_PARTS = np.array((0.34, 0.10, 0.20, 0.11, 0.09, 0.07, 0.04, 0.02, 0.02, 0.01))
_REACH = np.cumsum(_PARTS / _PARTS.sum())


def trade_sizes(count: int, odd_lot_fraction: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Shares: odd lots below 100, else round lots with a Pareto tail (index 1.6), one in twelve mixed."""
    odd = rng.random(count) < odd_lot_fraction
    part = 1 + (99 * rng.random(count) ** 2).astype(np.int64)
    lots = np.minimum((1.0 - rng.random(count)) ** -0.625, LARGEST_LOTS).astype(np.int64)
    mixed = rng.random(count) < 1 / 12
    return np.where(odd, part, lots * ROUND_LOT + part * mixed).astype(np.float64)


def quote_sizes(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Shares in round lots: mostly a few, sometimes many."""
    lots = np.minimum(1.0 + 2.0 * rng.standard_exponential(count) ** 2, LARGEST_LOTS)
    return np.floor(lots) * ROUND_LOT


def trade_exchanges(late: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int32]:
    """Exchange indices of trades; late reports are off-exchange trades."""
    return np.where(late, OFF_EXCHANGE, _exchanges(rng.random(len(late))))


def quote_exchanges(count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Exchange indices of quotes, which only exchanges make."""
    lit = _REACH[OFF_EXCHANGE]
    return _exchanges(lit + (1.0 - lit) * rng.random(count))


def _exchanges(draw: NDArray[np.float64]) -> NDArray[np.int32]:
    place = np.searchsorted(_REACH, draw, side="right")
    return np.minimum(place, len(EXCHANGES) - 1).astype(np.int32)


def trade_conditions(
    size: NDArray[np.float64],
    exchange: NDArray[np.int32],
    out_of_sequence: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """Condition codes: odd lots by size, sweeps on exchanges only, a few prints of extended hours.

    A real regular session has no such prints; here they ensure that there are always trades that may not set a price.
    """
    count = len(size)
    sweep = (rng.random(count) < SWEEP_CHANCE) & (exchange != OFF_EXCHANGE)
    extended = rng.random(count) < EXTENDED_CHANCE
    code = np.zeros(count, np.int32)
    code[sweep] |= SWEEP
    code[extended] |= EXTENDED
    code[size < ROUND_LOT] |= ODD_LOT
    code[out_of_sequence] |= OUT_OF_SEQUENCE
    return code
