"""Ranking: symbols by score, deterministic for equal scores."""

import numpy as np
from numpy.typing import NDArray


def best_first(symbols: tuple[str, ...], scores: NDArray[np.float64], wanted: NDArray[np.bool_]) -> list[str]:
    """The wanted symbols by falling score; equal scores by symbol. Arrays are aligned with `symbols`."""
    chosen = np.flatnonzero(wanted).tolist()
    return [symbols[index] for index in sorted(chosen, key=lambda index: (-scores[index], symbols[index]))]
