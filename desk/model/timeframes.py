"""Timeframes of bars.

Tests: tests/desk/bars/test_session_grid.py
"""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from desk.model.units import MINUTE_NS

Timeframe = Literal["1m", "5m", "15m", "1h", "1d"]
TIMEFRAMES: Final[tuple[Timeframe, ...]] = get_args(Timeframe)
"""All timeframes, shortest first."""
INTRADAY_NS: Final[Mapping[Timeframe, int]] = {
    "1m": MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "1h": 60 * MINUTE_NS,
}
"""The lengths of all timeframes but the day, whose length is that of the exchange day's regular hours."""


def timeframe_of(name: object) -> Timeframe | None:
    """The timeframe of this name; None for an unknown one."""
    return next((known for known in TIMEFRAMES if known == name), None)
