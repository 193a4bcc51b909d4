"""A strategy for test plans that ends its process."""

import os
from pathlib import Path

from desk import strategy
from desk.model.items import GapItem


class ExitingStrategy(strategy.Strategy):
    """Does nothing, and ends its process when it is made while the file `marker` is there."""

    class Params(strategy.Params, frozen=True):
        """`marker` is the file's path."""

        marker: str

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        if Path(params.marker).exists():
            os._exit(3)

    def on_gap(self, ctx: strategy.Context, gap: GapItem) -> None:
        """A strategy needs a hook."""
