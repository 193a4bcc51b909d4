"""The subscription of one connection: symbols by channel, in the order of the requests.

Tests: tests/desk/local_venue/test_server_protocol.py
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

ALL: Final = "*"


class ChannelSet(NamedTuple):
    """The channels of a stream.

    Those `following_trades` cannot be requested: they are subscribed with the trades, as the venue documents.
    `foreign` are channels of other streams, and channels that this venue does not support.
    """

    channels: tuple[str, ...]
    following_trades: tuple[str, ...]
    foreign: tuple[str, ...]


STOCK_CHANNELS: Final = ChannelSet(
    ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds"),
    ("corrections", "cancelErrors"),
    ("news", "orderbooks", "imbalances"),
)
CRYPTO_CHANNELS: Final = ChannelSet(
    ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"),
    (),
    ("news", "statuses", "lulds", "imbalances"),
)


class ClientSubscription:
    """Symbols by channel; `version` rises with every change."""

    def __init__(self, channel_set: ChannelSet = STOCK_CHANNELS) -> None:
        self.version = 0
        self.channel_set = channel_set
        self._symbols: dict[str, dict[str, None]] = {channel: {} for channel in channel_set.channels}

    def __bool__(self) -> bool:
        return any(self._symbols.values())

    def symbols(self, channel: str) -> tuple[str, ...]:
        """The channel's symbols; "*" stands for all."""
        return tuple(self._symbols.get(channel, ()))

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
        return {"T": "subscription", **lists, **dict.fromkeys(self.channel_set.following_trades, lists["trades"])}
