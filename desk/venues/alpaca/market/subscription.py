"""What is wanted of the venue, what it has acknowledged, and the messages that bring the two together.

Tests: tests/desk/venues/alpaca/test_alpaca_protocol.py
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from desk.venues.alpaca.market.wire import Acknowledgement

MAX_SYMBOLS: Final = 500
MAX_ATTEMPTS: Final = 3
ALL: Final = "*"
CHANNELS: Final = ("trades", "quotes")
Request = dict[str, str | list[str]]


class Subscription:
    """Symbols by channel ("trades", "quotes"); one message at a time is under way, each answered by the whole.

    A symbol that the venue leaves out of its answers is asked for `MAX_ATTEMPTS` times, then it is `missing`
    until the next connection. With "*" the channel is subscribed as a whole. `acknowledged`: all that was wanted first
    on this connection has been answered; later requests do not change it.
    """

    def __init__(self, channels: frozenset[str]) -> None:
        self.wanted: dict[str, set[str]] = {channel: set() for channel in CHANNELS if channel in channels}
        self.missing: dict[str, set[str]] = {channel: set() for channel in self.wanted}
        self.no_quotes: set[str] = set()
        self._symbols: set[str] = set()
        self._stands: dict[str, set[str]] = {channel: set() for channel in self.wanted}
        self._asked: Request | None = None
        self._attempts: Counter[tuple[str, str, str]] = Counter()
        self.exact = True
        self.acknowledged = False

    @property
    def pending(self) -> bool:
        """Whether an answer is owed by the venue."""
        return self._asked is not None

    def want(self, symbols: Iterable[str]) -> None:
        """Want these, beside those that are."""
        self._symbols.update(symbols)
        self._changed()

    def forget(self, symbols: Iterable[str]) -> None:
        """Want these no more."""
        self._symbols.difference_update(symbols)
        self._changed()

    def without_quotes(self, symbols: Iterable[str]) -> None:
        """Want no quotes of these."""
        self.no_quotes.update(symbols)
        self._changed()

    def with_quotes(self, symbols: Iterable[str]) -> None:
        """Want the quotes of these again, if they are wanted at all."""
        self.no_quotes.difference_update(symbols)
        self._changed()

    def connected(self) -> None:
        """Begin anew: a new connection has nothing subscribed."""
        self._asked = None
        self.acknowledged = False
        self._attempts.clear()
        for channel in self.wanted:
            self._stands[channel] = set()
            self.missing[channel].clear()
        self._changed()

    def request(self) -> Request | None:
        """The next message to send: None while an answer is owed, or when all is as it should be."""
        if self._asked is None:
            self._asked = self._next()
            self.acknowledged = self.acknowledged or self._asked is None
            return self._asked
        return None

    def acknowledge(self, answer: Acknowledgement) -> None:
        """Take the venue's answer in: the whole subscription as it has it."""
        self._stands = {channel: set(getattr(answer, channel) or ()) for channel in self.wanted}
        asked, self._asked = self._asked, None
        if asked is not None:
            self._check(asked)
        self._changed()
        self.acknowledged = self.acknowledged or self._next() is None

    def takes(self, channel: str, symbol: str) -> bool:
        """Whether a tick of this channel and symbol is wanted."""
        wanted = self.wanted[channel]
        return (symbol in wanted or ALL in wanted) and not (channel == "quotes" and symbol in self.no_quotes)

    def _check(self, asked: Request) -> None:
        """Count the failures of what was asked; what failed too often is asked no more."""
        action = str(asked["action"])
        for channel in self.wanted:
            listed = set(asked.get(channel, ()))
            stands = self._stands[channel]
            self.missing[channel] -= stands
            for symbol in listed - stands if action == "subscribe" else listed & stands:
                self._attempts[action, channel, symbol] += 1
                if action == "subscribe" and self._given_up(action, channel, symbol):
                    self.missing[channel].add(symbol)

    def _next(self) -> Request | None:
        """What has to be asked next; None where the venue has, or refuses, all that is wanted."""
        return self._difference("unsubscribe") or self._difference("subscribe")

    def _difference(self, action: str) -> Request | None:
        """The next chunk of what has to be subscribed or unsubscribed."""
        lists: dict[str, set[str]] = {}
        for channel, wanted in self.wanted.items():
            stands = self._stands[channel]
            more = wanted - stands if action == "subscribe" else stands - wanted
            lists[channel] = {symbol for symbol in more if not self._given_up(action, channel, symbol)}
        chunk = sorted(set().union(*lists.values()))[:MAX_SYMBOLS]
        if not chunk:
            return None
        request: Request = {"action": action}
        for channel, symbols in lists.items():
            if part := [symbol for symbol in chunk if symbol in symbols]:
                request[channel] = part
        return request

    def _given_up(self, action: str, channel: str, symbol: str) -> bool:
        return self._attempts[action, channel, symbol] >= MAX_ATTEMPTS

    def _changed(self) -> None:
        """Work out what is wanted by channel, and whether exactly that is what can arrive."""
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
        asked = self._asked.get(channel, ()) if self._asked is not None else ()
        return self._stands[channel].union(asked)
