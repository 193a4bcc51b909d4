"""A market snapshot that scanners cannot change.

Tests: tests/desk/scanning/test_runner.py
"""

from typing import Any

import numpy as np

from desk.scanner import MarketSnapshot


class ReadOnlyMarket:
    """The values of a snapshot as immutable bytes; every `snapshot` call makes new arrays over them.

    Even a read-only array can be given another shape or dtype in place, so scanners do not share arrays.
    """

    def __init__(self, market: MarketSnapshot) -> None:
        self._plain: dict[str, Any] = {}
        self._arrays: dict[str, tuple[tuple[int, ...], np.dtype[Any], bytes]] = {}
        for name in market.__struct_fields__:
            value = getattr(market, name)
            if isinstance(value, np.ndarray):
                self._arrays[name] = (value.shape, value.dtype, value.tobytes())
            else:
                self._plain[name] = value

    def snapshot(self) -> MarketSnapshot:
        """A new snapshot of the market."""
        arrays: dict[str, Any] = {
            name: np.ndarray(shape, kind, content) for name, (shape, kind, content) in self._arrays.items()
        }
        return MarketSnapshot(**self._plain, **arrays)
