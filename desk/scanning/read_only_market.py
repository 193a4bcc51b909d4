"""A market snapshot that scanners cannot change, not for themselves and not for the next.

Tests: tests/desk/scanning/test_runner.py
"""

from typing import Any

import numpy as np

from desk.scanner import MarketSnapshot


class ReadOnlyMarket:
    """The values of a snapshot as immutable bytes; every `snapshot` has arrays of its own over them.

    An array can be given another shape or type in place, which read-only arrays allow too: so no two scanners get the
    same one.
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
        """The market as it was taken in."""
        arrays: dict[str, Any] = {
            name: np.ndarray(shape, kind, content) for name, (shape, kind, content) in self._arrays.items()
        }
        return MarketSnapshot(**self._plain, **arrays)
