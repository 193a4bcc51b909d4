"""The producer's reaction to data that grow old: it climbs the overload ladder, and descends again."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from desk.flow import Lane
from desk.flow.ladder import CALM, CONFLATE, HOLD, SHED, THIN, OverloadLadder
from desk.model.items import QuotesLost
from desk.model.ticks import Event, Quote, Trade
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS, floor_to
from desk.ports import LiveFeed
from desk.telemetry.note_board import NoteBoard

CONTROL_NS: Final = 20 * MS_NS
SLOW_READ_NS: Final = 4 * MS_NS
MANY_BATCHES: Final = 12
THIN_EVERY_NS: Final = SECOND_NS
THIN_SHARE: Final = 0.5


class ShedTrades(NamedTuple):
    """A number of trades of one symbol and minute that are too old to enter a lane."""

    symbol: str
    minute_ns: int
    trades: int


class Admitted(NamedTuple):
    """The ticks to route, and the trades to count as dropped in their lanes."""

    ticks: Sequence[Event]
    shed: Sequence[ShedTrades] = ()


class OverloadControl:
    """Measures lane age and read age, and acts by the ladder's current rung.

    The feed's read age shows a producer that is too slow itself: then lanes are empty, while ticks wait in the socket.
    A venue that closes the connection for that reason (407) makes the ladder climb at once. Every step is noted with
    its figures. `batches` counts the batches sent since the last control: only if they are
    many is a longer linger worth it.
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
        self._recovering: set[int] = set()
        self._slow_clients = 0 if feed is None else feed.health.slow_clients

    @property
    def hold(self) -> bool:
        """Whether all marks are degraded, whatever their ages."""
        return self.ladder.rung >= HOLD

    @property
    def conflating(self) -> bool:
        """Whether lanes conflate quotes even when they are not full."""
        return self.ladder.rung >= CONFLATE

    def admit(self, ticks: Sequence[Event], now_ns: int) -> Admitted:
        """Admit all ticks; on the rung SHED or above, without trades older than the write timeout.

        On a rung above CALM it also counts quotes by symbol.
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
        """Check the ages, at most every CONTROL_NS, and act; return an item per symbol whose quotes are stopped."""
        if now_ns - self._controlled_ns < CONTROL_NS:
            return []
        self._controlled_ns = now_ns
        age_ns = max(self._ages_ns(now_ns), default=0)
        if self._feed is not None:
            read_age_ns = self._feed.read_age_ns
            age_ns = max(age_ns, read_age_ns)
            self._adjust_linger(read_age_ns)
        pushed = self._is_pushed()
        step = self.ladder.push(age_ns, now_ns) if pushed else self.ladder.observe(age_ns, now_ns)
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
                if shard not in self._recovering:
                    lane.drop_aged(now_ns)
        if self.ladder.rung >= THIN and (pushed or self.ladder.wants_more(age_ns)):
            return self._thin(now_ns)
        return []

    def _is_pushed(self) -> bool:
        """Whether the venue closed another connection because the desk reads too slowly."""
        if self._feed is None or (found := self._feed.health.slow_clients) == self._slow_clients:
            return False
        self._slow_clients = found
        return True

    def _ages_ns(self, now_ns: int) -> Iterator[int]:
        """The lanes' ages, without lanes whose shard is down or catching up afterwards: that is not an overload."""
        for shard, lane in self._lanes.items():
            lane_age_ns = lane.age_ns(now_ns)
            if lane.down:
                self._recovering.add(shard)
            elif shard in self._recovering and lane_age_ns < self.ladder.config.climb_ns[CALM]:
                self._recovering.discard(shard)
            if shard not in self._recovering:
                yield lane_age_ns

    def _adjust_linger(self, read_age_ns: int) -> None:
        """Lengthen the linger while reading is behind and batches are many; shorten it slowly afterwards."""
        batches, self.batches = self.batches, 0
        if read_age_ns > SLOW_READ_NS and batches >= MANY_BATCHES:
            for lane in self._lanes.values():
                lane.stretch(2.0)
        elif read_age_ns < SLOW_READ_NS // 4:
            for lane in self._lanes.values():
                lane.stretch(0.98)

    def _thin(self, now_ns: int) -> list[QuotesLost]:
        """Unsubscribe from the quotes of the busiest symbols, which make up half of all quotes received."""
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
        self._notes.add(f"quotes of the {len(hot):,} busiest symbols stopped; {len(self._thinned):,} in all")
        return [QuotesLost(symbol, now_ns) for symbol in hot]

    def _restore(self) -> None:
        if self._thinned and self._feed is not None:
            self._feed.restore_quotes(sorted(self._thinned))
            self._notes.add(f"quotes of {len(self._thinned):,} symbols requested again")
            self._thinned.clear()


def _by_minute(stale: Sequence[Event]) -> list[ShedTrades]:
    """Count trades by symbol and minute, fast: a dropped tick must cost far less than a routed one."""
    ages = [tick.ts_ns for tick in stale]
    minute_ns = floor_to(min(ages), MINUTE_NS)
    if max(ages) < minute_ns + MINUTE_NS:
        lost = {(symbol, minute_ns): n for symbol, n in Counter([tick.symbol for tick in stale]).items()}
    else:
        lost = Counter([(tick.symbol, floor_to(tick.ts_ns, MINUTE_NS)) for tick in stale])
    return [ShedTrades(symbol, minute_ns, trades) for (symbol, minute_ns), trades in lost.items()]
