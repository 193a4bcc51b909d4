"""Sessions of the made-up market, played once for several tests."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.model.blocks import Block

Columns = dict[str, NDArray[np.generic]]
Play = Callable[[SyntheticConfig], Columns]
NO_COLUMNS = {"first_ordinal", "symbols", "exchanges", "condition_codes", "tapes", "tape", "originals", "notices"}
COLUMNS = [field.name for field in fields(Block) if field.name not in NO_COLUMNS]
START_NS = 1_741_613_400_000_000_000


@pytest.fixture(scope="session")
def config() -> SyntheticConfig:
    return SyntheticConfig(seed=11, symbols=200, events_per_s=500.0, start_ns=START_NS, duration_s=90)


@pytest.fixture(scope="session")
def play() -> Play:
    """All rows of a config's market, column by column."""

    def rows(config: SyntheticConfig) -> Columns:
        blocks = list(SyntheticMarket(config).blocks())
        return {name: np.concatenate([getattr(block, name) for block in blocks]) for name in COLUMNS}

    return rows


@pytest.fixture(scope="session")
def minutes(config: SyntheticConfig, play: Play) -> Columns:
    """A minute and a half of 200 symbols."""
    return play(config)


@pytest.fixture(scope="session")
def day(config: SyntheticConfig, play: Play) -> Columns:
    """A whole regular session of 100 symbols, thinly traded."""
    return play(replace(config, symbols=100, events_per_s=20.0, duration_s=390 * 60))
