"""The events that a subscription covers.

Tests: tests/desk/local_venue/test_local_venue_server.py
"""

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.client_subscription import ALL, ClientSubscription
from desk.local_venue.message_layout import MessageLayout
from desk.local_venue.stock_layout import STOCKS
from desk.model.blocks import KINDS, Block


class Selection:
    """The subscribed events that a layout has, by kind and by index into the source's symbols."""

    def __init__(
        self, subscription: ClientSubscription, symbols: tuple[str, ...], layout: MessageLayout = STOCKS
    ) -> None:
        self.layout = layout
        self._wanted = np.zeros((KINDS, len(symbols)), np.bool_)
        index = {symbol: number for number, symbol in enumerate(symbols)}
        for kind in layout.kinds:
            asked = subscription.symbols(kind.channel)
            self._wanted[kind.number, [index[symbol] for symbol in asked if symbol in index]] = True
            if ALL in asked:
                self._wanted[kind.number] = True

    def mask(self, events: Block, first: int = 0, stop: int | None = None) -> NDArray[np.bool_]:
        """Per event from `first` to `stop`, exclusive, whether it is subscribed; the events are playable ones."""
        mask: NDArray[np.bool_] = self._wanted[events.kind[first:stop], events.symbol[first:stop]]
        return mask
