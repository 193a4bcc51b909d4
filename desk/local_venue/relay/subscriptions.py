"""The subscription of the relay at the venue: the union of those of its clients, changed by one request at a time.

Tests: tests/desk/local_venue/test_relay.py
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from desk.local_venue.client_subscription import ALL, ChannelSet, ClientSubscription
from desk.local_venue.relay.relay_client import RelayClient
from desk.local_venue.server_protocol import Symbols

SYMBOLS_PER_REQUEST: Final = 500
"""Longer lists were seen to be applied in part."""


class ClientChange:
    """A change that a client asked for, and the venue's error code in answer to a part of it (0: none)."""

    def __init__(self, client: RelayClient, asked: Symbols, adding: bool) -> None:
        self.client = client
        self.asked = asked
        self.adding = adding
        self.code = 0


class PendingRequest(NamedTuple):
    """A request that the venue has not answered; `change` is that of a client, None for an unsubscription."""

    symbols: Symbols
    change: ClientChange | None


class UnionSubscription:
    """`clients` have the subscriptions that make up the union; `granted` is what the venue has acknowledged.

    Changes of clients are answered in their order. Symbols that no client wants any more are unsubscribed when nothing
    else is to do.
    """

    def __init__(self, channel_set: ChannelSet, clients: Iterable[RelayClient]) -> None:
        self.granted: dict[str, set[str]] = {channel: set() for channel in channel_set.channels}
        self._clients = clients
        self._changes: deque[ClientChange] = deque()
        self._pending: PendingRequest | None = None
        self._stuck: set[tuple[str, str]] = set()

    @property
    def pending(self) -> bool:
        """Whether the venue owes an answer."""
        return self._pending is not None

    def reset(self) -> None:
        """Forget everything: the connection has ended, and so do those of the clients."""
        for symbols in self.granted.values():
            symbols.clear()
        self._changes.clear()
        self._stuck.clear()
        self._pending = None

    def ask(self, change: ClientChange) -> None:
        """Add a change that a client asks for. Symbols that the venue ignored before are requested again."""
        self._changes.append(change)
        self._stuck -= {(channel, symbol) for channel, symbols in change.asked.items() for symbol in symbols}

    def leave(self, client: RelayClient) -> None:
        """Forget the changes of a client that has left."""
        self._changes = deque(change for change in self._changes if change.client is not client)

    def answered(self) -> list[ClientChange]:
        """The changes that need nothing more of the venue, in order; they have to be answered."""
        done = []
        while self._changes and self._pending is None:
            change = self._changes[0]
            if change.adding and not change.code and self._missing(change.asked):
                break
            done.append(self._changes.popleft())
        return done

    def granted_of(self, asked: Symbols) -> Symbols:
        """The part of these symbols that the venue sends."""
        return {
            channel: [symbol for symbol in symbols if symbol in self.granted[channel] or ALL in self.granted[channel]]
            for channel, symbols in asked.items()
        }

    def request(self) -> dict[str, Any] | None:
        """The next request to send; None while one is pending, or if there is nothing to request."""
        if self._pending is not None:
            return None
        change = self._changes[0] if self._changes else None
        wanted = self._surplus() if change is None else self._missing(change.asked)
        if not wanted:
            return None
        self._pending = PendingRequest(wanted, change)
        return {"action": "unsubscribe" if change is None else "subscribe", **wanted}

    def acknowledge(self, answer: Mapping[str, Any]) -> None:
        """Apply the venue's answer, its whole subscription. Symbols without effect are not requested again."""
        for channel in self.granted:
            self.granted[channel] = set(answer.get(channel) or ())
        pending, self._pending = self._pending, None
        if pending is not None:
            adding = pending.change is not None
            self._stuck |= {
                (channel, symbol)
                for channel, symbols in pending.symbols.items()
                for symbol in symbols
                if (symbol in self.granted[channel]) is not adding
            }

    def refuse(self, code: int) -> None:
        """Apply an error of the venue in answer to the pending request."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        if pending.change is not None:
            pending.change.code = code
        else:
            self._stuck |= {(channel, symbol) for channel, symbols in pending.symbols.items() for symbol in symbols}

    def _missing(self, asked: Symbols) -> Symbols:
        """The first symbols of these that the venue does not send yet."""
        return self._first(
            {
                channel: [
                    symbol
                    for symbol in symbols
                    if not ({symbol, ALL} & self.granted[channel]) and (channel, symbol) not in self._stuck
                ]
                for channel, symbols in asked.items()
            }
        )

    def _surplus(self) -> Symbols:
        """The first symbols that the venue sends and no client wants."""
        surplus = {channel: set(symbols) for channel, symbols in self.granted.items()}
        for client in self._clients:
            subscription: ClientSubscription = client.protocol.subscription
            for channel, symbols in surplus.items():
                symbols.difference_update(subscription.symbols(channel))
        return self._first(
            {
                channel: sorted(symbol for symbol in symbols if (channel, symbol) not in self._stuck)
                for channel, symbols in surplus.items()
            }
        )

    @staticmethod
    def _first(symbols: Symbols) -> Symbols:
        """At most SYMBOLS_PER_REQUEST of them."""
        left = SYMBOLS_PER_REQUEST
        out = {}
        for channel, some in symbols.items():
            if some[:left]:
                out[channel] = some[:left]
                left -= len(out[channel])
        return out
