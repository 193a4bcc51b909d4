"""Symbols that fall silent while the exchange is open: stale, because the venue has trades of them, or merely quiet.

Theory. A venue sends a bar of every minute in which a symbol traded. A bar of a minute in which nothing of the symbol
came is proof: trades are missing, the symbol is *stale*. No bar for as long is proof of the opposite: it is *quiet*.
Where no bars come, a symbol is compared with itself. Trades that come at a usual distance of `u` seconds leave a pause
of 20 `u` with the probability e**-20 if they come independently. They come in clusters, and more slowly at noon than at
the open: so the usual distance follows the recent ones, and the pause must exceed three times every earlier one, too.
Only seconds count in which the exchange was open and the feed subscribed: quiet hours and outages are no silence. Where
nothing comes of any symbol, silence proves nothing of one: a mute connection is found by its watch.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from desk.model.feed_health import SymbolActivity
from desk.model.notes import Level, Note
from desk.model.notices import VenueBar
from desk.model.units import SECOND_NS
from desk.telemetry import formatting

LEAST_SILENCE_S: Final = 60
USUAL_FACTOR: Final = 20
LONGEST_FACTOR: Final = 3
LEAST_SECONDS: Final = 20
"""Seconds with trades, before which a symbol has no usual distance."""
WEIGHT: Final = 1 / 8
JUDGE_EVERY_S: Final = 5
ALIVE_S: Final = 30
"""The feed delivers if a trade or bar of any symbol came within this time."""
BARS_LAST_S: Final = 150
"""The venue sends bars if one of any symbol came within this time."""
AGAIN_S: Final = 900
"""A symbol is subscribed anew once per silence, and not more often than this."""
NEVER_S: Final = -AGAIN_S
GRANTED_NS: Final = 5 * SECOND_NS
"""The venue grants a new symbol within this time: a minute that began earlier proves nothing."""
MAX_NAMED: Final = 10


class StaleState(msgspec.Struct, array_like=True):
    """What a successor continues with: since when each symbol is stale, and the spells that have ended."""

    stale: dict[str, int] = {}
    spells: int = 0
    healed: list[str] = []
    stale_ns: int = 0


class _Row(msgspec.Struct):
    """One symbol. Session times end in `_ns`; `_s` counts seconds in which data could arrive.

    `last_ns`, `last_s`: the last second with a trade, or when the symbol was subscribed. `seconds` with
    trades; `usual_s` and `longest_s` between two of them. `bar_ns`: the last minute with a bar of the venue.
    """

    last_ns: int
    last_s: int
    seconds: int = 0
    usual_s: float = 0.0
    longest_s: int = 0
    bar_ns: int = 0
    stale_ns: int | None = None
    why: str = ""
    is_quiet: bool = False
    is_halted: bool = False
    again_s: int = NEVER_S

    def traded(self, read_ns: int, now_s: int) -> None:
        """Note a second with trades, the last of which were read at `read_ns`."""
        if self.seconds and (distance_s := now_s - self.last_s) > 0:
            self.usual_s += (distance_s - self.usual_s) * WEIGHT if self.usual_s else distance_s
            self.longest_s = max(self.longest_s, distance_s)
        self.seconds += 1
        self.last_ns, self.last_s = read_ns, now_s
        self.is_quiet, self.is_halted = False, False

    def is_unusual(self, silent_s: int) -> bool:
        """Whether the symbol was never silent for nearly as long."""
        least_s = max(LEAST_SILENCE_S, USUAL_FACTOR * self.usual_s, LONGEST_FACTOR * self.longest_s)
        return self.seconds >= LEAST_SECONDS and silent_s >= least_s


class StaleSymbols:
    """Judges the subscribed symbols at marks. `state` is that of an earlier producer's watch.

    `again` has the symbols to subscribe anew since the last mark.
    """

    def __init__(self, place: str, delay_ns: int = 0, state: StaleState | None = None) -> None:
        self.state = state or StaleState()
        self.again: list[str] = []
        self._place = place
        self._delay_ns = delay_ns
        self._rows: dict[str, _Row] = {}
        self._now_s = 0
        self._up_ns: int | None = None
        self._bar_s: int | None = None
        self._data_s: int | None = None
        self._notes: list[Note] = []

    @property
    def stale(self) -> dict[str, int]:
        """The stale symbols, each with the session time since which data are missing."""
        return self.state.stale

    @property
    def quiet(self) -> list[str]:
        """The symbols that are silent for far longer than usual because nothing of them is traded; sorted."""
        return sorted(symbol for symbol, row in self._rows.items() if row.is_quiet)

    def mark(
        self, mark_ns: int, activity: SymbolActivity, symbols: Collection[str], *, can_deliver: bool
    ) -> list[Note]:
        """Complete a second with what came in it. `can_deliver`: the exchange was open and the feed subscribed."""
        self.again = []
        self._now_s += can_deliver
        self._follow(symbols, mark_ns)
        self._note_trades(max(mark_ns, activity.read_ns), activity.traded)
        if activity.traded or activity.bars:
            self._data_s = self._now_s
        for status in activity.statuses:
            if (row := self._rows.get(status.symbol)) is not None and (status.halted or status.resumed):
                row.is_halted = status.halted
        if not can_deliver:
            self._up_ns = None
        else:
            self._up_ns = mark_ns - SECOND_NS if self._up_ns is None else self._up_ns
            self._judge_bars(activity.bars, max(self._up_ns, activity.up_ns))
            if self._now_s % JUDGE_EVERY_S == 0:
                self._judge_silences()
        notes, self._notes = self._notes, []
        return notes

    def alerts(self) -> list[str]:
        """What the live view shows."""
        quiet = self.quiet
        lines = [f"stale, data missing: {formatting.names(self.stale, 5)}"] if self.stale else []
        return lines + ([f"quiet, not stale: {formatting.names(quiet, 5)}"] if quiet else [])

    def problem(self, mark_ns: int) -> str:
        """The message about symbols that were stale at the end; "" for none."""
        if not self.stale:
            return ""
        since = sorted(self.stale.items())[:MAX_NAMED]
        named = ", ".join(f"{symbol} for {_s(mark_ns - from_ns)}" for symbol, from_ns in since)
        more = ", …" if len(self.stale) > MAX_NAMED else ""
        return f"{self._place}: {formatting.some(len(self.stale), 'symbol')} stale when the run ended: {named}{more}"

    def warning(self) -> str:
        """The message about symbols that were stale for a time; "" for none."""
        state = self.state
        if not state.spells:
            return ""
        return (
            f"{self._place}: {formatting.some(len(state.healed), 'symbol')} stale for a time, "
            f"{formatting.some(state.spells, 'spell')}, {_s(state.stale_ns)} in all: {formatting.names(state.healed)}"
        )

    def _follow(self, symbols: Collection[str], mark_ns: int) -> None:
        """Begin with new symbols, and forget those that are not subscribed any more."""
        if self._rows.keys() == set(symbols):
            return
        for symbol in self._rows.keys() - symbols:
            del self._rows[symbol]
            self.stale.pop(symbol, None)
        for symbol in set(symbols).difference(self._rows):
            row = self._rows[symbol] = _Row(mark_ns + GRANTED_NS, self._now_s)
            row.stale_ns = self.stale.get(symbol)

    def _note_trades(self, read_ns: int, traded: Iterable[str]) -> None:
        healed = []
        for symbol in traded:
            row = self._rows.get(symbol)
            if row is None:
                continue
            if row.stale_ns is not None:
                healed.append(f"{symbol} after {_s(read_ns - row.stale_ns)}")
                self.state.stale_ns += read_ns - row.stale_ns
                self.state.spells += 1
                self.state.healed = sorted({*self.state.healed, symbol})
                row.stale_ns = None
                self.stale.pop(symbol, None)
            row.traded(read_ns, self._now_s)
        self._note("trades come again of", sorted(healed))

    def _judge_bars(self, bars: Iterable[VenueBar], up_ns: int) -> None:
        """Find the symbols with a bar of a minute in which the feed was up and no trade of them came."""
        found = []
        for bar in bars:
            row = self._rows.get(bar.symbol)
            if bar.updated or row is None:
                continue
            self._bar_s = self._now_s
            row.bar_ns = max(row.bar_ns, bar.ts_ns)
            from_ns = bar.ts_ns + self._delay_ns
            if bar.volume > 0 and up_ns <= from_ns and row.last_ns <= from_ns and row.stale_ns is None:
                row.is_quiet = False
                found.append(self._found_stale(bar.symbol, row, from_ns))
        self._note("the venue has trades that did not come:", sorted(found), "error")

    def _judge_silences(self) -> None:
        """Judge the symbols that are silent for far longer than usual."""
        quiet, stale = [], []
        if self._data_s is None or self._now_s - self._data_s > ALIVE_S:
            return
        for symbol, row in self._rows.items():
            if row.stale_ns is not None or row.is_quiet:
                continue
            silent_s = self._now_s - row.last_s
            if not row.is_unusual(silent_s):
                continue
            usual = f"silent for {silent_s} s, usually {row.usual_s:.0f} s"
            if row.is_halted or self._has_bars(row):
                row.is_quiet = True
                quiet.append(f"{symbol} ({'halted, ' if row.is_halted else ''}{usual})")
            else:
                stale.append(f"{self._found_stale(symbol, row, row.last_ns)} ({usual})")
        self._note("quiet, not stale: the venue has no bar of", sorted(quiet), "info")
        self._note("far longer silent than usual, and so perhaps stale:", sorted(stale), "error")

    def _has_bars(self, row: _Row) -> bool:
        """Whether the venue's bars would show trades of the symbol, and there are none."""
        goes_on = self._bar_s is not None and self._now_s - self._bar_s < BARS_LAST_S
        return goes_on and row.bar_ns > 0 and row.bar_ns + self._delay_ns < row.last_ns

    def _found_stale(self, symbol: str, row: _Row, from_ns: int) -> str:
        row.stale_ns = self.stale[symbol] = from_ns
        if self._now_s - row.again_s < AGAIN_S:
            return symbol
        row.again_s = self._now_s
        self.again.append(symbol)
        return f"{symbol}, subscribed anew"

    def _note(self, text: str, found: list[str], level: Level = "warning") -> None:
        if found:
            more = f"; and {len(found) - MAX_NAMED:,} more" if len(found) > MAX_NAMED else ""
            self._notes.append(Note(f"{self._place}: {text} {'; '.join(found[:MAX_NAMED])}{more}", level))


def _s(ns: int) -> str:
    return f"{ns / SECOND_NS:,.0f} s"
