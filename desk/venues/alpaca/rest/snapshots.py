"""Alpaca's market as scanners see it: snapshots of all tradable symbols, or of the active ones and the movers.

Tests: tests/desk/venues/alpaca/test_alpaca_snapshots.py
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final, Literal

import msgspec

from desk.bars.reference_price import is_eligible_print
from desk.model.live_symbol import LiveSymbol, SnapshotBar
from desk.model.ticks import Trade
from desk.ports import MarketUnavailable
from desk.streams.limits import MAX_SYMBOL_CHARS
from desk.telemetry.formatting import some
from desk.venues.alpaca.rest.clients import AlpacaClients, RestUnavailable, chunks
from desk.venues.alpaca.rest.reference import AlpacaReference
from desk.venues.alpaca.rest.wire import MostActivesPage, MoversPage, RestSnapshot, WireBar
from desk.venues.rest.daemon_threads import parallel
from desk.venues.timestamps import rfc3339_ns

SYMBOLS_PER_REQUEST: Final = 500
"""They stand in the URL, with three characters for each comma: together some 4 KiB of the 8 that servers take."""
AT_ONCE: Final = 4
MOST_ACTIVES: Final = 100
MOST_MOVERS: Final = 50
"""The most that the API gives ("Screener", its reference)."""
ALL: Final = "*"


class AlpacaMarket:
    """The market of one feed, read with `AT_ONCE` requests at a time: see `desk.ports.LiveMarket`.

    With `exchange_day` it notes if the venue's calendar does not have that day: a closing that the desk's own calendar
    does not know.
    """

    def __init__(
        self,
        clients: AlpacaClients,
        reference: AlpacaReference,
        feed: str,
        place: str,
        scanned: Literal["all", "active"],
        exchange_day: date | None = None,
    ) -> None:
        self.place = place
        self._clients = clients
        self._reference = reference
        self._feed = feed
        self._scanned = scanned
        self._exchange_day = exchange_day
        self._malformed = 0
        self._reported = 0
        self._refusals = clients.refusals
        self._notes: list[str] = []

    def read(self, subscribed: Sequence[str]) -> list[LiveSymbol]:
        """The snapshots now. One failed request fails the whole read: a market with holes would mislead scanners."""
        try:
            symbols = self._active() if self._scanned == "active" else self._tradable()
            wanted = sorted(symbols.union(subscribed) - {ALL})
            self._check_calendar()
            parts = parallel(self._part, list(chunks(wanted, SYMBOLS_PER_REQUEST)), AT_ONCE)
            return [snapshot for part in parts for snapshot in part]
        except RestUnavailable as fault:
            raise MarketUnavailable(f"{self.place}: {fault}") from fault

    def take_notes(self) -> list[str]:
        """Refused requests, malformed snapshots, which were left out, and faults of the cache, since the last call."""
        notes = [*self._notes, *self._reference.take_notes()]
        self._notes.clear()
        if (refusals := self._clients.refusals) > self._refusals:
            notes.append(f"{self.place}: {some(refusals - self._refusals, 'request')} refused (429), and repeated")
            self._refusals = refusals
        if self._malformed > self._reported:
            new, self._reported = self._malformed - self._reported, self._malformed
            notes.append(f"{self.place}: {some(new, 'malformed snapshot')} left out")
        return notes

    def _check_calendar(self) -> None:
        """Compare the day with the venue's calendar, once."""
        day, self._exchange_day = self._exchange_day, None
        if day is None:
            return
        try:
            if all(known.date != day for known in self._reference.calendar()):
                self._notes.append(f"{self.place}: the venue's calendar has no trading day on {day}")
        except RestUnavailable as fault:
            self._notes.append(f"{self.place}: the venue's calendar could not be read: {fault}")

    def _tradable(self) -> set[str]:
        return {
            asset.symbol
            for asset in self._reference.assets()
            if asset.tradable and asset.exchange != "OTC" and 0 < len(asset.symbol) <= MAX_SYMBOL_CHARS
        }

    def _active(self) -> set[str]:
        """The most active symbols by volume and by trades, and those whose prices changed most."""
        get, screener = self._clients.get, self._clients.screener
        found: list[Any] = []
        for by in ("volume", "trades"):
            wanted = {"by": by, "top": MOST_ACTIVES}
            found += get(screener, "/screener/stocks/most-actives", wanted, MostActivesPage).most_actives
        movers = get(screener, "/screener/stocks/movers", {"top": MOST_MOVERS}, MoversPage)
        found += [*movers.gainers, *movers.losers]
        return {row.symbol for row in found if 0 < len(row.symbol) <= MAX_SYMBOL_CHARS}

    def _part(self, symbols: Sequence[str]) -> list[LiveSymbol]:
        wanted = {"symbols": ",".join(symbols), "feed": self._feed}
        raw = self._clients.get(self._clients.stocks, "/stocks/snapshots", wanted, dict[str, Any])
        return list(self._sound(raw, frozenset(symbols)))

    def _sound(self, raw: dict[str, Any], asked: frozenset[str]) -> Iterable[LiveSymbol]:
        for symbol, each in raw.items():
            if each is None or symbol not in asked:
                continue
            try:
                yield _snapshot(symbol, msgspec.convert(each, RestSnapshot, strict=False))
            except (msgspec.MsgspecError, ValueError):
                self._malformed += 1


def _snapshot(symbol: str, raw: RestSnapshot) -> LiveSymbol:
    """Raises ValueError for a time that is none."""
    fields: dict[str, Any] = {}
    if (trade := raw.latest_trade) is not None:
        letters = "".join(trade.conditions or ()).replace(" ", "")
        found = Trade(0, symbol, rfc3339_ns(trade.time), 0, trade.price, trade.size, letters)
        if is_eligible_print(found):
            fields |= {"price": found.price, "price_ns": found.ts_ns}
    if (quote := raw.latest_quote) is not None:
        fields |= {"bid": quote.bid, "bid_size": quote.bid_size, "ask": quote.ask, "ask_size": quote.ask_size}
        fields["quote_ns"] = rfc3339_ns(quote.time)
    if raw.minute_bar is not None:
        fields["minute"] = _bar(raw.minute_bar)
    if raw.daily_bar is not None:
        fields["day"] = _bar(raw.daily_bar)
    return LiveSymbol(symbol, **fields)


def _bar(row: WireBar) -> SnapshotBar:
    return SnapshotBar(rfc3339_ns(row.time), row.open, row.high, row.low, row.close, row.volume, row.trades)
