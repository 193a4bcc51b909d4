"""Alpaca's lists of symbols and of trading days, fetched once a day and cached.

Tests: tests/desk/venues/alpaca/test_alpaca_snapshots.py
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Final

from desk.files.cache_folder import DayCache
from desk.venues.alpaca.rest.clients import AlpacaClients
from desk.venues.alpaca.rest.wire import Asset, CalendarDay

CALENDAR_DAYS: Final = timedelta(days=366)


class AlpacaReference:
    """The venue's symbols and trading days as of `day`, in files of `folder` (None: fetched each time)."""

    def __init__(self, clients: AlpacaClients, day: date, folder: Path | None) -> None:
        self._clients = clients
        self._day = day
        self._assets = DayCache(folder, "assets", list[Asset])
        self._calendar = DayCache(folder, "calendar", list[CalendarDay])

    def assets(self) -> list[Asset]:
        """The active US shares, tradable or not. Raises RestUnavailable."""
        wanted = {"status": "active", "asset_class": "us_equity"}
        trading = self._clients.trading
        return self._assets.get(self._day, lambda: self._clients.get(trading, "/assets", wanted, list[Asset]))

    def calendar(self) -> list[CalendarDay]:
        """The trading days of the year before and the year after the day. Raises RestUnavailable."""
        first, last = self._day - CALENDAR_DAYS, self._day + CALENDAR_DAYS
        wanted = {"start": first.isoformat(), "end": last.isoformat()}
        trading = self._clients.trading
        return self._calendar.get(self._day, lambda: self._clients.get(trading, "/calendar", wanted, list[CalendarDay]))

    def take_notes(self) -> list[str]:
        """What is wrong with the cache, since the last call."""
        notes = [*self._assets.notes, *self._calendar.notes]
        self._assets.notes, self._calendar.notes = [], []
        return notes
