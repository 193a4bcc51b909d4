"""The events that a subscription covers.

Tests: tests/desk/local_venue/test_local_venue_server.py
"""

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.client_subscription import ALL, ClientSubscription
from desk.model.blocks import CANCEL, CORRECTION, QUOTE, TRADE, Block


class Selection:
    """The subscription's trades and quotes, by kind and by index into the source's symbols."""

    def __init__(self, subscription: ClientSubscription, symbols: tuple[str, ...]) -> None:
        self._wanted = np.zeros((CANCEL + 1, len(symbols)), np.bool_)
        index = {symbol: number for number, symbol in enumerate(symbols)}
        for kind, channel in ((TRADE, "trades"), (QUOTE, "quotes")):
            asked = subscription.symbols(channel)
            self._wanted[kind, [index[symbol] for symbol in asked if symbol in index]] = True
            if ALL in asked:
                self._wanted[kind] = True
        # Corrections and cancels follow the trades, as the acknowledgement says.
        self._wanted[CORRECTION] = self._wanted[CANCEL] = self._wanted[TRADE]

    def mask(self, events: Block) -> NDArray[np.bool_]:
        """Per event whether it is subscribed; the events are playable ones."""
        mask: NDArray[np.bool_] = self._wanted[events.kind, events.symbol]
        return mask
