"""What one connection has subscribed: symbols by channel, in the order in which they were asked for.

Tests: tests/desk/local_venue/test_server_protocol.py
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

ALL: Final = "*"
CHANNELS: Final[tuple[str, ...]] = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
FOLLOWING_TRADES: Final = ("corrections", "cancelErrors")
FOREIGN_CHANNELS: Final[tuple[str, ...]] = ("news", "orderbooks", "imbalances")
"""Channels of other feeds, and of those that this venue does not carry."""


class ClientSubscription:
    """Symbols by channel; `version` rises with every change.

    Corrections and cancels cannot be asked for: they follow the trades, as the venue documents it.
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
        """Subscribe these symbols beside those that are."""
        for channel, symbols in wanted.items():
            self._symbols[channel].update(dict.fromkeys(symbols))
        self.version += 1

    def remove(self, unwanted: Mapping[str, Iterable[str]]) -> None:
        """Unsubscribe these symbols; those that are not subscribed are no matter."""
        for channel, symbols in unwanted.items():
            for symbol in symbols:
                self._symbols[channel].pop(symbol, None)
        self.version += 1

    def limited_with(self, wanted: Mapping[str, Iterable[str]]) -> int:
        """How many trade and quote symbols there would be with these too."""
        return sum(len({*self._symbols[channel], *wanted.get(channel, ())}) for channel in ("trades", "quotes"))

    def acknowledgement(self) -> dict[str, Any]:
        """The whole subscription as the venue confirms it."""
        lists = {channel: list(symbols) for channel, symbols in self._symbols.items()}
        return {"T": "subscription", **lists, **dict.fromkeys(FOLLOWING_TRADES, lists["trades"])}
