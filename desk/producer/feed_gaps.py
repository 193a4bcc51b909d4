"""Gap items for a feed's outages: opened when the connection is lost, closed when the feed is up again."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from desk.model.items import GapItem
from desk.model.records import GapRecord
from desk.model.units import MINUTE_NS, floor_to
from desk.ports import Feed, FeedGap, LiveFeed
from desk.producer.subscriptions import Subscriptions

REFUSED: Final = "the venue does not grant the symbol"


class FeedGaps:
    """Makes a `GapItem` when a gap opens, at the first mark of each further minute, and when it ends.

    So a minute that closes within a gap is partial. `records` are the ended gaps, each with the number of symbols
    subscribed at its end. `delay_ns` is the feed's delay by design. Symbols that the venue grants in none of the feed's
    `channels` have a gap of their own.
    """

    def __init__(
        self,
        feed: Feed,
        live: LiveFeed | None,
        subscriptions: Subscriptions,
        records: Iterable[GapRecord],
        delay_ns: int = 0,
        channels: int = 2,
    ) -> None:
        self._feed = feed
        self._live = live
        self._subscriptions = subscriptions
        self._records = list(records)
        self._ended: list[GapRecord] = []
        self._delay_ns = delay_ns
        self._channels = channels
        self._refused: dict[str, int] = {}
        self._open: FeedGap | None = None
        self._minute_ns = 0

    @property
    def records(self) -> list[GapRecord]:
        """The ended gaps."""
        return list(self._records)

    def records_at(self, session_ns: int) -> list[GapRecord]:
        """All gaps; an open one ends, so far, at this session time."""
        open_gap = None if self._live is None else self._live.open_gap(session_ns)
        return self.records if open_gap is None else [*self._records, self._record(open_gap)]

    def close(self) -> list[GapItem]:
        """Return the gaps that have ended. They belong before the ticks that follow them."""
        items = []
        for gap in self._feed.take_gaps():
            self._open = None
            record = self._record(gap)
            self._records.append(record)
            self._ended.append(record)
            items.append(GapItem(gap.from_ns, gap.to_ns, gap.why))
        return items

    def take_ended(self) -> list[GapRecord]:
        """The gaps that `close` returned since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def open(self, session_ns: int) -> list[GapItem]:
        """Return the open gap, if news of it is due. It belongs after the ticks that preceded it."""
        gap = None if self._live is None else self._live.open_gap(session_ns)
        if gap is None:
            self._open = None
            return []
        minute_ns = floor_to(session_ns - self._delay_ns - 1, MINUTE_NS)
        if self._open is None or minute_ns > self._minute_ns:
            self._open, self._minute_ns = gap, minute_ns
            return [GapItem(gap.from_ns, session_ns, gap.why, is_open=True)]
        return []

    def mark(self, session_ns: int) -> list[GapItem]:
        """Return gaps for symbols newly refused or granted by the venue. They belong before the mark."""
        if self._live is None:
            return []
        items = []
        counts = Counter(symbol for symbols in self._live.health.refused.values() for symbol in symbols)
        refused = {symbol for symbol, count in counts.items() if count >= self._channels}
        if new := sorted(refused.difference(self._refused)):
            self._refused |= dict.fromkeys(new, session_ns)
            items.append(GapItem(session_ns, session_ns, REFUSED, symbols=new, is_open=True))
        granted = sorted(self._refused.keys() - refused)
        items += [GapItem(self._refused.pop(symbol), session_ns, REFUSED, symbols=[symbol]) for symbol in granted]
        return items

    def _record(self, gap: FeedGap) -> GapRecord:
        return GapRecord(gap.from_ns, gap.to_ns, self._subscriptions.count, gap.why)
