"""What the producer does about data that grow old: it climbs the ladder, and comes down again."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from desk.flow import Lane
from desk.flow.ladder import CALM, CONFLATE, HOLD, SHED, THIN, OverloadLadder
from desk.model.items import QuotesLost
from desk.model.ticks import Quote, Tick, Trade
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS, floor_to
from desk.ports import LiveFeed
from desk.telemetry.note_board import NoteBoard

CONTROL_NS: Final = 20 * MS_NS
BEHIND_NS: Final = 4 * MS_NS
MANY_BATCHES: Final = 12
THIN_EVERY_NS: Final = SECOND_NS
THIN_SHARE: Final = 0.5


class Shed(NamedTuple):
    """So many trades of one symbol and minute that are too old to get in."""

    symbol: str
    minute_ns: int
    trades: int


class Admitted(NamedTuple):
    """The ticks worth routing, and what is to be dropped where they would have gone."""

    ticks: Sequence[Tick]
    shed: Sequence[Shed] = ()


class OverloadControl:
    """Watches lane age and read age, and does what the ladder's rung says.

    Read age is received minus venue time, over its recent floor, as the feed tells it: when the producer itself is
    too slow, the lanes stay empty while the socket ages. Every step is noted, with its numbers.
    `batches` counts those sent since the last look: only many of them are worth sending less often.
    """

    def __init__(
        self,
        ladder: OverloadLadder,
        lanes: Mapping[int, Lane],
        feed: LiveFeed | None,
        write_timeout_ns: int,
        notes: NoteBoard,
    ) -> None:
        self.ladder = ladder
        self._lanes = lanes
        self._feed = feed
        self._write_timeout_ns = write_timeout_ns
        self._notes = notes
        self.batches = 0
        self._controlled_ns = 0
        self._thinned_ns = 0
        self._quotes: Counter[str] = Counter()
        self._thinned: set[str] = set()
        self._excused: set[int] = set()

    @property
    def hold(self) -> bool:
        """Whether marks are to be degraded whatever their own ages say."""
        return self.ladder.rung >= HOLD

    @property
    def conflating(self) -> bool:
        """Whether lanes conflate quotes, full or not."""
        return self.ladder.rung >= CONFLATE

    def admit(self, ticks: Sequence[Tick], now_ns: int) -> Admitted:
        """Admit all ticks, but for trades that the socket has aged beyond use.

        On a rung above CALM it also counts which symbols the quotes belong to.
        """
        rung = self.ladder.rung
        if rung < CONFLATE:
            return Admitted(ticks)
        if Quote in map(type, ticks):
            self._quotes.update([tick.symbol for tick in ticks if type(tick) is Quote])
        if rung < SHED or self._feed is None:
            return Admitted(ticks)
        oldest_ns = self._feed.venue_ns(now_ns - self._write_timeout_ns)
        stale = [tick for tick in ticks if tick.ts_ns < oldest_ns and type(tick) is Trade]
        if not stale:
            return Admitted(ticks)
        fresh = [tick for tick in ticks if not (tick.ts_ns < oldest_ns and type(tick) is Trade)]
        return Admitted(fresh, _by_minute(stale))

    def control(self, now_ns: int) -> list[QuotesLost]:
        """Look at the ages, at most every CONTROL_NS, and act; for each symbol whose quotes are stopped an item."""
        if now_ns - self._controlled_ns < CONTROL_NS:
            return []
        self._controlled_ns = now_ns
        age_ns = max(self._ages_ns(now_ns), default=0)
        if self._feed is not None:
            read_age_ns = self._feed.read_age_ns
            age_ns = max(age_ns, read_age_ns)
            self._pace(read_age_ns)
        step = self.ladder.observe(age_ns, now_ns)
        if step is not None:
            self._notes.add(str(step))
            for lane in self._lanes.values():
                lane.conflate(on=step.after >= CONFLATE)
            if step.after < THIN:
                self._restore()
            if step.after < CONFLATE:
                self._quotes.clear()
        if self.ladder.rung >= SHED:
            for shard, lane in self._lanes.items():
                if shard not in self._excused:
                    lane.drop_aged(now_ns)
        if self.ladder.rung >= THIN and self.ladder.wants_more(age_ns):
            return self._thin(now_ns)
        return []

    def _ages_ns(self, now_ns: int) -> Iterator[int]:
        """The lanes' ages, but for those whose shard is gone, or back and catching up: that is no overload."""
        for shard, lane in self._lanes.items():
            lane_age_ns = lane.age_ns(now_ns)
            if lane.down:
                self._excused.add(shard)
            elif shard in self._excused and lane_age_ns < self.ladder.config.climb_ns[CALM]:
                self._excused.discard(shard)
            if shard not in self._excused:
                yield lane_age_ns

    def _pace(self, read_age_ns: int) -> None:
        """Send less often while reading is behind and calls are many, and come back slowly."""
        batches, self.batches = self.batches, 0
        if read_age_ns > BEHIND_NS and batches >= MANY_BATCHES:
            for lane in self._lanes.values():
                lane.stretch(2.0)
        elif read_age_ns < BEHIND_NS // 4:
            for lane in self._lanes.values():
                lane.stretch(0.98)

    def _thin(self, now_ns: int) -> list[QuotesLost]:
        """Ask the venue for no more quotes of the symbols that make up half of those that still come."""
        if self._feed is None or now_ns - self._thinned_ns < THIN_EVERY_NS or not self._quotes:
            return []
        self._thinned_ns = now_ns
        hot = []
        left = self._quotes.total() * THIN_SHARE
        for symbol, quotes in self._quotes.most_common():
            if left <= 0:
                break
            hot.append(symbol)
            left -= quotes
        self._quotes.clear()
        self._thinned.update(hot)
        self._feed.drop_quotes(hot)
        self._notes.add(f"quotes of the {len(hot):,} hottest symbols stopped; {len(self._thinned):,} in all")
        return [QuotesLost(symbol, now_ns) for symbol in hot]

    def _restore(self) -> None:
        if self._thinned and self._feed is not None:
            self._feed.restore_quotes(sorted(self._thinned))
            self._notes.add(f"quotes of {len(self._thinned):,} symbols asked for again")
            self._thinned.clear()


def _by_minute(stale: Sequence[Tick]) -> list[Shed]:
    """Trades by symbol and minute: what is dropped has to cost much less than what is carried."""
    ages = [tick.ts_ns for tick in stale]
    minute_ns = floor_to(min(ages), MINUTE_NS)
    if max(ages) < minute_ns + MINUTE_NS:
        lost = {(symbol, minute_ns): n for symbol, n in Counter([tick.symbol for tick in stale]).items()}
    else:
        lost = Counter([(tick.symbol, floor_to(tick.ts_ns, MINUTE_NS)) for tick in stale])
    return [Shed(symbol, minute_ns, trades) for (symbol, minute_ns), trades in lost.items()]
