"""The wanted and the acknowledged subscription, and the requests that make them equal.

Tests: tests/desk/venues/alpaca/test_alpaca_protocol.py, tests/desk/venues/alpaca/test_alpaca_limits.py
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from desk.venues.alpaca.market.symbol_limit import SymbolLimit
from desk.venues.alpaca.market.wire import CHANNELS, Acknowledgement

MAX_SYMBOLS_PER_REQUEST: Final = 500
MAX_ATTEMPTS: Final = 3
ALL: Final = "*"
TICK_CHANNELS: Final = ("trades", "quotes")
Request = dict[str, str | list[str]]


class Subscription:
    """Symbols by channel. One request is pending at a time; each answer is the whole subscription.

    `channels` are those of the plan. `helpers` are further channels, which the desk requests once and can do without.
    A symbol that is absent from the answers is requested `MAX_ATTEMPTS` times, and then `missing` until the next
    connection. "*" subscribes to the whole channel. `acknowledged`: the first subscription of this connection is
    complete; later requests do not change it. `exact`: only messages that are wanted can arrive.

    Requests name the most wanted symbols first, in the order of `add`. After error 405 the subscription that stands is
    kept; the symbols beyond the limit are requested again when others leave (see SymbolLimit). After error 410 each
    request names one channel, and a channel that is refused alone is in `dropped`, also for later connections.
    """

    def __init__(self, channels: Collection[str], helpers: Collection[str] = ()) -> None:
        self.wanted: dict[str, set[str]] = {name: set() for name in CHANNELS if name in {*channels, *helpers}}
        self.missing: dict[str, set[str]] = {channel: set() for channel in self.wanted}
        self.helpers = frozenset(helpers).difference(channels)
        self.dropped: list[str] = []
        self.limit = SymbolLimit()
        self.no_quotes: set[str] = set()
        self.exact = True
        self.acknowledged = False
        self._symbols: dict[str, None] = {}
        self._granted: dict[str, set[str]] = {channel: set() for channel in self.wanted}
        self._again: set[str] = set()
        self._pending: Request | None = None
        self._attempts: Counter[tuple[str, str, str]] = Counter()
        self._one_channel = False
        self._helpers_apart = False
        self._is_idle = False
        self._refused: dict[str, list[str]] | None = None

    @property
    def pending(self) -> bool:
        """Whether a request awaits its answer."""
        return self._pending is not None

    @property
    def has_ticks(self) -> bool:
        """Whether trades or quotes of any symbol are granted."""
        return any(self._granted[channel] for channel in self._tick_channels)

    @property
    def refused(self) -> dict[str, list[str]]:
        """The symbols that the venue does not grant, or has no room for, by channel of the plan; sorted."""
        if self._refused is None:
            found = {name: symbols | self.beyond_limit(name) for name, symbols in self.missing.items()}
            self._refused = {
                name: sorted(symbols) for name, symbols in found.items() if symbols and name not in self.helpers
            }
        return self._refused

    def beyond_limit(self, channel: str) -> set[str]:
        """The symbols of a channel for which the account's limit leaves no room."""
        if not self.limit.is_reached or channel not in TICK_CHANNELS:
            return set()
        return self.wanted[channel] - self._granted[channel]

    def add(self, symbols: Iterable[str]) -> None:
        """Add symbols, most wanted first. If all present ones are among them, this order replaces the earlier one."""
        order = dict.fromkeys(symbols)
        self._symbols = order if self._symbols.keys() <= order.keys() else self._symbols | order
        self._update()

    def remove(self, symbols: Iterable[str]) -> None:
        """Remove symbols."""
        for symbol in symbols:
            self._symbols.pop(symbol, None)
        self._update()

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Stop the quotes of these symbols."""
        self.no_quotes.update(symbols)
        self._update()

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Request the quotes of these symbols again, if they are subscribed."""
        self.no_quotes.difference_update(symbols)
        self._update()

    def resubscribe(self, symbols: Iterable[str]) -> None:
        """Unsubscribe the trades and quotes of these symbols, and subscribe them again."""
        granted = set[str]().union(*(self._granted[channel] for channel in self._tick_channels))
        self._again |= granted.intersection(symbols) - {ALL}
        self._update()

    def connected(self) -> None:
        """Reset: a new connection has no subscription."""
        self._pending = None
        self.acknowledged = False
        self._attempts.clear()
        self._again.clear()
        self.limit.reset()
        for channel in self.wanted:
            self._granted[channel] = set()
            self.missing[channel].clear()
        self._update()

    def request(self) -> Request | None:
        """The next request to send; None while one is pending, or if nothing is left to request."""
        if self._pending is not None or self._is_idle:
            return None
        self._pending = self._next_request()
        self._is_idle = self._pending is None
        self.acknowledged = self.acknowledged or self._is_idle
        return self._pending

    def acknowledge(self, answer: Acknowledgement) -> None:
        """Apply the venue's answer, which is its whole subscription."""
        before = self._granted
        lists = answer.by_channel()
        self._granted = {channel: set(lists[channel]) for channel in self.wanted}
        more = [len(self._granted[name]) - len(before[name]) for name in self._tick_channels]
        if (left := -min(more, default=0)) > 0:
            self.limit.left(left)
        self.limit.granted(max(0, *more) if more else 0)
        pending, self._pending = self._pending, None
        if pending is not None:
            self._check(pending)
        self._update()
        self.acknowledged = self.acknowledged or self._next_request() is None

    def exceeded(self) -> bool:
        """Apply error 405 to the pending request; return False if the venue grants no symbol at all."""
        pending = self._refused_request()
        if pending is None:
            return True
        symbols = set[str]().union(*(pending.get(channel, ()) for channel in TICK_CHANNELS))
        self._helpers_apart = True
        if symbols:
            self.limit.refused(len(symbols))
        else:
            self._give_up(pending)
        self._update()
        return self.has_ticks or not self.limit.is_reached

    def invalid(self) -> str:
        """Apply error 410 to the pending request; return the channel that is dropped for it, "" for none yet."""
        pending = self._refused_request()
        if pending is None:
            return ""
        named = [channel for channel in self.wanted if channel in pending]
        self._one_channel = True
        if len(named) == 1:
            self.dropped += named
        self._update()
        return named[0] if len(named) == 1 else ""

    def is_wanted(self, channel: str, symbol: str) -> bool:
        """Whether a message of this channel and symbol is wanted."""
        wanted = self.wanted.get(channel, ())
        return (symbol in wanted or ALL in wanted) and not (channel == "quotes" and symbol in self.no_quotes)

    @property
    def _tick_channels(self) -> list[str]:
        return [channel for channel in TICK_CHANNELS if channel in self.wanted]

    def _refused_request(self) -> Request | None:
        """The pending request, refused; None if it is to unsubscribe, which is repeated like one without effect."""
        pending, self._pending = self._pending, None
        if pending is None or pending["action"] == "subscribe":
            return pending
        self._check(pending)
        self._update()
        return None

    def _check(self, pending: Request) -> None:
        """Count the symbols for which the request had no effect; after MAX_ATTEMPTS they are `missing`."""
        action = str(pending["action"])
        for channel in self.wanted:
            listed = set(pending.get(channel, ()))
            granted = self._granted[channel]
            self.missing[channel] -= granted
            if action == "unsubscribe" and channel in TICK_CHANNELS:
                self._again -= listed
            for symbol in listed - granted if action == "subscribe" else listed & granted:
                self._attempts[action, channel, symbol] += 1
                if action == "subscribe" and self._has_failed(action, channel, symbol):
                    self.missing[channel].add(symbol)

    def _give_up(self, pending: Request) -> None:
        """Request the symbols of a refused request no more on this connection."""
        for channel in self.wanted:
            for symbol in pending.get(channel, ()):
                self._attempts["subscribe", channel, symbol] = MAX_ATTEMPTS
                self.missing[channel].add(symbol)

    def _next_request(self) -> Request | None:
        """The next request; None if the venue grants or refuses all that is wanted."""
        return self._difference("unsubscribe") or self._difference("subscribe")

    def _difference(self, action: str) -> Request | None:
        """The next request for this action, of at most MAX_SYMBOLS_PER_REQUEST symbols."""
        lists = {channel: self._lacking(action, channel) for channel in self.wanted if channel not in self.dropped}
        lists = {channel: symbols for channel, symbols in lists.items() if symbols}
        size = MAX_SYMBOLS_PER_REQUEST
        ticks = {channel: symbols for channel, symbols in lists.items() if channel in TICK_CHANNELS}
        if action == "subscribe" and ticks:
            size = self.limit.request_size(size)
            if not size:  # helpers of the symbols that stand
                beyond = set[str]().union(*map(self.beyond_limit, ticks))
                lists = {channel: lists[channel] - beyond for channel in lists if channel not in ticks}
                size = MAX_SYMBOLS_PER_REQUEST
            elif self._helpers_apart:
                lists = ticks
        if self._one_channel:
            lists = dict(list(lists.items())[:1])
        lacking = set[str]().union(*lists.values())
        ordered = [symbol for symbol in self._symbols if symbol in lacking]
        chunk = (ordered + sorted(lacking.difference(ordered)))[:size]
        request: Request = {"action": action}
        for channel, symbols in lists.items():
            if part := [symbol for symbol in chunk if symbol in symbols]:
                request[channel] = part
        return request if len(request) > 1 else None

    def _lacking(self, action: str, channel: str) -> set[str]:
        """The symbols of a channel that the venue grants too little or too much."""
        wanted, granted = self.wanted[channel], self._granted[channel]
        if action == "subscribe":
            more = wanted - granted
        else:
            more = granted - wanted
            if channel in TICK_CHANNELS:
                more |= granted & self._again
        return {symbol for symbol in more if not self._has_failed(action, channel, symbol)} if more else more

    def _has_failed(self, action: str, channel: str, symbol: str) -> bool:
        most = 1 if channel in self.helpers else MAX_ATTEMPTS
        return self._attempts[action, channel, symbol] >= most

    def _update(self) -> None:
        """Update `wanted`, `missing` and `exact`."""
        self._is_idle, self._refused = False, None
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
