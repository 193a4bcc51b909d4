"""The wanted and the granted subscription, and the requests that make them equal.

Tests: tests/desk/venues/polygon/test_polygon_protocol.py
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, Literal, NamedTuple

from desk.venues.wanted_symbols import WantedSymbols

MAX_PER_REQUEST: Final = 500
MAX_ATTEMPTS: Final = 3
Action = Literal["subscribe", "unsubscribe"]


class TopicRequest(NamedTuple):
    """A request for topics of one channel, such as "T.SPY"; `is_helper`: of a channel that the desk can do without."""

    action: Action
    topics: frozenset[str]
    is_helper: bool = False


class TopicSubscription:
    """Topics, each a prefix and a symbol. One request is pending at a time; the venue answers each topic by itself.

    `prefixes` are those of the channels. A topic that is not answered is requested MAX_ATTEMPTS times, over
    connections; then, or if the venue refuses it, it is `refused`. `acknowledged`: the first subscription of this
    connection is complete, without the channels in `helpers`, whose answers are not waited for.
    """

    def __init__(self, wanted: WantedSymbols, prefixes: Mapping[str, str], helpers: Collection[str] = ()) -> None:
        self.acknowledged = False
        self.helpers = frozenset(helpers)
        self.pending: TopicRequest | None = None
        self._wanted = wanted
        self._prefixes = {channel: prefixes[channel] for channel in wanted.channels}
        self._granted: set[str] = set()
        self._refused: set[str] = set()
        self._open: set[str] = set()
        self._attempts: Counter[str] = Counter()

    @property
    def refused(self) -> dict[str, list[str]]:
        """The symbols that are wanted and refused, by channel, without helpers."""
        found = {}
        for channel, prefix in self._prefixes.items():
            if channel in self.helpers:
                continue
            topics = self._topics(channel) & self._refused
            if topics:
                found[channel] = sorted(topic.removeprefix(f"{prefix}.") for topic in topics)
        return found

    def connected(self) -> None:
        """Reset: a new connection has no subscription."""
        self.acknowledged = False
        self.pending = None
        self._granted.clear()
        self._open.clear()

    def request(self) -> TopicRequest | None:
        """The next request to send; None while one is pending, or if nothing is left to request."""
        following = self._next()
        if self.pending is not None and (not self.pending.is_helper or following is None or following.is_helper):
            return None
        self.acknowledged = self.acknowledged or following is None or following.is_helper
        self.pending = following
        if self.pending is None:
            return None
        self._open = set(self.pending.topics)
        if self.pending.action == "subscribe":
            self._attempts.update(self.pending.topics)
        return self.pending

    def answered(self, action: Action, topics: set[str]) -> None:
        """Apply the venue's consent to topics that were requested."""
        topics &= self._open
        if action == "subscribe":
            self._granted |= topics
            self._refused -= topics
            for topic in topics:
                self._attempts.pop(topic, None)
        else:
            self._granted -= topics
        self._close(topics)

    def reject(self, text: str) -> bool:
        """Apply a refusal: of the pending topics that its text names, else of all of them. Return if a helper's."""
        is_helper = self.pending is not None and self.pending.is_helper
        named = {topic for topic in self._open if topic in text.replace(",", " ").split()} or set(self._open)
        self._refused |= named
        self._granted -= named
        self._close(named)
        return is_helper

    def _close(self, topics: set[str]) -> None:
        self._open -= topics
        if not self._open:
            self.pending = None
            following = self._next()
            self.acknowledged = self.acknowledged or following is None or following.is_helper

    def _next(self) -> TopicRequest | None:
        """The next request, for one channel; topics that are not wanted any more go first."""
        wanted = {channel: self._topics(channel) for channel in self._prefixes}
        dropped = self._granted.difference(*wanted.values())
        if dropped:
            return TopicRequest("unsubscribe", frozenset(sorted(dropped)[:MAX_PER_REQUEST]))
        self._refused &= set().union(*wanted.values())
        for channel, topics in wanted.items():
            missing = topics - self._granted - self._refused
            exhausted = {topic for topic in missing if self._attempts[topic] >= MAX_ATTEMPTS}
            self._refused |= exhausted
            if more := missing - exhausted:
                return TopicRequest("subscribe", frozenset(sorted(more)[:MAX_PER_REQUEST]), channel in self.helpers)
        return None

    def _topics(self, channel: str) -> set[str]:
        prefix = self._prefixes[channel]
        return {f"{prefix}.{symbol}" for symbol in self._wanted.of(channel)}
