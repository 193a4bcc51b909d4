"""Writes tapes of the made-up market, for tests that need a tape where no recording is present."""

from pathlib import Path
from typing import Final

from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.model.units import SECOND_NS
from desk.tape.writer import TapeWriter

OPEN_NS: Final = 1_381_152_600 * SECOND_NS
"""2013-10-07 09:30:00 in New York, a trading day, the same as that of the recorded tape."""
SYMBOLS: Final = 6
BEFORE_OPEN_S: Final = 120
MORNING_S: Final = 18 * 60


def market(seconds: int, events_per_s: float, start_ns: int = OPEN_NS, seed: int = 1) -> SyntheticMarket:
    """SYN0000 to SYN0005, from `start_ns` on."""
    return SyntheticMarket(SyntheticConfig(seed, SYMBOLS, events_per_s, start_ns, seconds))


def write_tape(path: Path, source: SyntheticMarket) -> Path:
    """Write the whole market to a tape."""
    with TapeWriter(path) as tape:
        for block in source.blocks():
            tape.write(block)
    return path


def write_morning(path: Path) -> Path:
    """Eighteen minutes around the open, from 09:28 on."""
    return write_tape(path, market(MORNING_S, 80.0, OPEN_NS - BEFORE_OPEN_S * SECOND_NS))
