"""The wanted and the acknowledged subscription, and the requests that make them equal.

Tests: tests/desk/venues/alpaca/test_alpaca_protocol.py
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from desk.venues.alpaca.market.wire import Acknowledgement

MAX_SYMBOLS_PER_REQUEST: Final = 500
MAX_ATTEMPTS: Final = 3
ALL: Final = "*"
CHANNELS: Final = ("trades", "quotes")
Request = dict[str, str | list[str]]


class Subscription:
    """Symbols by channel ("trades", "quotes"). One request is pending at a time; each answer is the whole subscription.

    A symbol that is absent from the answers is requested `MAX_ATTEMPTS` times, and then `missing` until the next
    connection. "*" subscribes to the whole channel. `acknowledged`: the first subscription of this connection is
    complete; later requests do not change it. `exact`: only ticks that are wanted can arrive.
    """

    def __init__(self, channels: frozenset[str]) -> None:
        self.wanted: dict[str, set[str]] = {channel: set() for channel in CHANNELS if channel in channels}
        self.missing: dict[str, set[str]] = {channel: set() for channel in self.wanted}
        self.no_quotes: set[str] = set()
        self._symbols: set[str] = set()
        self._granted: dict[str, set[str]] = {channel: set() for channel in self.wanted}
        self._pending: Request | None = None
        self._attempts: Counter[tuple[str, str, str]] = Counter()
        self.exact = True
        self.acknowledged = False

    @property
    def pending(self) -> bool:
        """Whether a request awaits its answer."""
        return self._pending is not None

    def add(self, symbols: Iterable[str]) -> None:
        """Add symbols."""
        self._symbols.update(symbols)
        self._update()

    def remove(self, symbols: Iterable[str]) -> None:
        """Remove symbols."""
        self._symbols.difference_update(symbols)
        self._update()

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Stop the quotes of these symbols."""
        self.no_quotes.update(symbols)
        self._update()

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Request the quotes of these symbols again, if they are subscribed."""
        self.no_quotes.difference_update(symbols)
        self._update()

    def connected(self) -> None:
        """Reset: a new connection has no subscription."""
        self._pending = None
        self.acknowledged = False
        self._attempts.clear()
        for channel in self.wanted:
            self._granted[channel] = set()
            self.missing[channel].clear()
        self._update()

    def request(self) -> Request | None:
        """The next request to send; None while one is pending, or if nothing is left to request."""
        if self._pending is None:
            self._pending = self._next_request()
            self.acknowledged = self.acknowledged or self._pending is None
            return self._pending
        return None

    def acknowledge(self, answer: Acknowledgement) -> None:
        """Apply the venue's answer, which is its whole subscription."""
        self._granted = {channel: set(getattr(answer, channel) or ()) for channel in self.wanted}
        pending, self._pending = self._pending, None
        if pending is not None:
            self._check(pending)
        self._update()
        self.acknowledged = self.acknowledged or self._next_request() is None

    def is_wanted(self, channel: str, symbol: str) -> bool:
        """Whether a tick of this channel and symbol is wanted."""
        wanted = self.wanted[channel]
        return (symbol in wanted or ALL in wanted) and not (channel == "quotes" and symbol in self.no_quotes)

    def _check(self, pending: Request) -> None:
        """Count the symbols for which the request had no effect; after MAX_ATTEMPTS they are `missing`."""
        action = str(pending["action"])
        for channel in self.wanted:
            listed = set(pending.get(channel, ()))
            granted = self._granted[channel]
            self.missing[channel] -= granted
            for symbol in listed - granted if action == "subscribe" else listed & granted:
                self._attempts[action, channel, symbol] += 1
                if action == "subscribe" and self._has_failed(action, channel, symbol):
                    self.missing[channel].add(symbol)

    def _next_request(self) -> Request | None:
        """The next request; None if the venue grants or refuses all that is wanted."""
        return self._difference("unsubscribe") or self._difference("subscribe")

    def _difference(self, action: str) -> Request | None:
        """The next request for this action, of at most MAX_SYMBOLS_PER_REQUEST symbols."""
        lists: dict[str, set[str]] = {}
        for channel, wanted in self.wanted.items():
            granted = self._granted[channel]
            more = wanted - granted if action == "subscribe" else granted - wanted
            lists[channel] = {symbol for symbol in more if not self._has_failed(action, channel, symbol)}
        chunk = sorted(set().union(*lists.values()))[:MAX_SYMBOLS_PER_REQUEST]
        if not chunk:
            return None
        request: Request = {"action": action}
        for channel, symbols in lists.items():
            if part := [symbol for symbol in chunk if symbol in symbols]:
                request[channel] = part
        return request

    def _has_failed(self, action: str, channel: str, symbol: str) -> bool:
        return self._attempts[action, channel, symbol] >= MAX_ATTEMPTS

    def _update(self) -> None:
        """Update `wanted`, `missing` and `exact`."""
        everything = ALL in self._symbols
        for channel in self.wanted:
            symbols = {ALL} if everything else set(self._symbols)
            self.wanted[channel] = symbols - self.no_quotes if channel == "quotes" else symbols
        for channel, missing in self.missing.items():
            missing &= self.wanted[channel]  # noqa: PLW2901  in place
        self.exact = not (everything and self.no_quotes) and all(
            self._may_arrive(channel) <= wanted for channel, wanted in self.wanted.items()
        )

    def _may_arrive(self, channel: str) -> set[str]:
        pending = self._pending.get(channel, ()) if self._pending is not None else ()
        return self._granted[channel].union(pending)
