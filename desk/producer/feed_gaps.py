"""Gap items for a feed's outages: opened when the connection is lost, closed when the feed is up again."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from desk.model.items import GapItem
from desk.model.records import GapRecord
from desk.model.units import MINUTE_NS, floor_to
from desk.ports import Feed, FeedGap, LiveFeed
from desk.producer.subscriptions import Subscriptions

REFUSED: Final = "the venue does not grant the symbol"
STALE: Final = "the symbol is stale"
TICK_CHANNELS: Final = ("trades", "quotes")


class EndedGap(NamedTuple):
    """A gap that has ended; of one symbol, or of all."""

    record: GapRecord
    symbol: str = ""


class FeedGaps:
    """Makes a `GapItem` when a gap opens, at the first mark of each further minute, and when it ends.

    So a minute that closes within a gap is partial. `records` are the ended gaps, each with the number of symbols
    subscribed at its end. `delay_ns` is the feed's delay by design. Symbols that the venue grants in none of the feed's
    `channels` of ticks have a gap of their own, and so have symbols that are stale. `apart` are those open gaps: the
    session time at which each began, and its reason.
    """

    def __init__(
        self,
        feed: Feed,
        live: LiveFeed | None,
        subscriptions: Subscriptions,
        records: Iterable[GapRecord],
        delay_ns: int = 0,
        channels: int = 2,
        apart: Mapping[str, tuple[int, str]] | None = None,
    ) -> None:
        self._feed = feed
        self._live = live
        self._subscriptions = subscriptions
        self._records = list(records)
        self._ended: list[EndedGap] = []
        self._delay_ns = delay_ns
        self._channels = channels
        self.apart: dict[str, tuple[int, str]] = dict(apart or {})
        self._open: FeedGap | None = None
        self._minute_ns = 0

    @property
    def records(self) -> list[GapRecord]:
        """The ended gaps."""
        return list(self._records)

    def records_at(self, session_ns: int) -> list[GapRecord]:
        """All gaps; an open one ends, so far, at this session time."""
        open_gap = None if self._live is None else self._live.open_gap(session_ns)
        stale = [
            GapRecord(from_ns, max(from_ns, session_ns), 1, f"{why}: {symbol}")
            for symbol, (from_ns, why) in sorted(self.apart.items())
            if why == STALE
        ]
        return [*self._records, *stale, *([] if open_gap is None else [self._record(open_gap)])]

    def close(self) -> list[GapItem]:
        """Return the gaps that have ended. They belong before the ticks that follow them."""
        items = []
        for gap in self._feed.take_gaps():
            self._open = None
            record = self._record(gap)
            self._records.append(record)
            self._ended.append(EndedGap(record))
            items.append(GapItem(gap.from_ns, gap.to_ns, gap.why))
        return items

    def take_ended(self) -> list[EndedGap]:
        """The gaps that have ended since the last call."""
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

    def mark(self, session_ns: int, stale: Mapping[str, int] | None = None) -> list[GapItem]:
        """Return gaps of symbols newly refused or granted by the venue, stale or no longer so.

        `stale` has the session time since which each stale symbol misses data. The gaps belong before the mark.
        """
        if self._live is None:
            return []
        stale = stale or {}
        refused = self._refused(self._live)
        items = []
        for symbol in sorted(self.apart):
            from_ns, why = self.apart[symbol]
            if symbol not in (refused if why == REFUSED else stale):
                del self.apart[symbol]
                items.append(GapItem(from_ns, session_ns, why, symbols=[symbol]))
                if why == STALE:
                    record = GapRecord(from_ns, session_ns, 1, f"{why}: {symbol}")
                    self._records.append(record)
                    self._ended.append(EndedGap(record, symbol))
        if new := sorted(refused.difference(self.apart)):
            self.apart |= dict.fromkeys(new, (session_ns, REFUSED))
            items.append(GapItem(session_ns, session_ns, REFUSED, symbols=new, is_open=True))
        for symbol in sorted(stale.keys() - self.apart.keys()):
            self.apart[symbol] = (stale[symbol], STALE)
            items.append(GapItem(stale[symbol], session_ns, STALE, symbols=[symbol], is_open=True))
        return items

    def _refused(self, live: LiveFeed) -> set[str]:
        """The symbols of which the venue grants no ticks at all."""
        refused = live.health.refused
        counts = Counter(symbol for channel in TICK_CHANNELS for symbol in refused.get(channel, ()))
        return {symbol for symbol, count in counts.items() if count >= self._channels}

    def _record(self, gap: FeedGap) -> GapRecord:
        return GapRecord(gap.from_ns, gap.to_ns, self._subscriptions.count, gap.why)
