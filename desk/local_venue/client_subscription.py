"""The subscription of one connection: symbols by channel, in the order of the requests.

Tests: tests/desk/local_venue/test_server_protocol.py
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

ALL: Final = "*"
CHANNELS: Final[tuple[str, ...]] = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
FOLLOWING_TRADES: Final = ("corrections", "cancelErrors")
FOREIGN_CHANNELS: Final[tuple[str, ...]] = ("news", "orderbooks", "imbalances")
"""Channels of other feeds, and channels that this venue does not support."""


class ClientSubscription:
    """Symbols by channel; `version` rises with every change.

    Corrections and cancels cannot be requested: they are subscribed with the trades, as the venue documents.
    """

    def __init__(self) -> None:
        self.version = 0
        self._symbols: dict[str, dict[str, None]] = {channel: {} for channel in CHANNELS}

    def __bool__(self) -> bool:
        return any(self._symbols.values())

    def symbols(self, channel: str) -> tuple[str, ...]:
        """The channel's symbols; "*" stands for all."""
        return tuple(self._symbols[channel])

    def add(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Add these symbols to the subscription."""
        for channel, symbols in wanted.items():
            self._symbols[channel].update(dict.fromkeys(symbols))
        self.version += 1

    def remove(self, unwanted: Mapping[str, Iterable[str]]) -> None:
        """Unsubscribe these symbols; symbols not subscribed are ignored."""
        for channel, symbols in unwanted.items():
            for symbol in symbols:
                self._symbols[channel].pop(symbol, None)
        self.version += 1

    def limited_with(self, wanted: Mapping[str, Iterable[str]]) -> int:
        """The number of trade and quote symbols with these added."""
        return sum(len({*self._symbols[channel], *wanted.get(channel, ())}) for channel in ("trades", "quotes"))

    def acknowledgement(self) -> dict[str, Any]:
        """The whole subscription as the venue confirms it."""
        lists = {channel: list(symbols) for channel, symbols in self._symbols.items()}
        return {"T": "subscription", **lists, **dict.fromkeys(FOLLOWING_TRADES, lists["trades"])}
