"""The symbols that the desk wants from a stream, by channel.

Tests: tests/desk/venues/polygon/test_polygon_protocol.py
"""

from collections.abc import Iterable
from typing import Final

ALL: Final = "*"
QUOTES: Final = "quotes"


class WantedSymbols:
    """Subscribed symbols by channel; "*" is all of a channel. Quotes of single symbols can be left out for a time."""

    def __init__(self, channels: Iterable[str]) -> None:
        self.channels = tuple(channels)
        self.no_quotes: set[str] = set()
        self._symbols: set[str] = set()

    @property
    def any(self) -> bool:
        """Whether a symbol is wanted."""
        return bool(self._symbols)

    def add(self, symbols: Iterable[str]) -> None:
        """Add symbols."""
        self._symbols.update(symbols)

    def remove(self, symbols: Iterable[str]) -> None:
        """Remove symbols."""
        self._symbols.difference_update(symbols)

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Leave out the quotes of these symbols."""
        self.no_quotes.update(symbols)

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Want the quotes of these symbols again, if they are subscribed."""
        self.no_quotes.difference_update(symbols)

    def of(self, channel: str) -> set[str]:
        """The symbols to subscribe on a channel."""
        if channel not in self.channels:
            return set()
        symbols = {ALL} if ALL in self._symbols else set(self._symbols)
        return symbols - self.no_quotes if channel == QUOTES else symbols

    def is_wanted(self, channel: str, symbol: str) -> bool:
        """Whether an event of this class and symbol is wanted; a notice is, if its symbol is."""
        if channel in {"trades", QUOTES} and channel not in self.channels:
            return False
        if symbol not in self._symbols and ALL not in self._symbols:
            return False
        return not (channel == QUOTES and symbol in self.no_quotes)
