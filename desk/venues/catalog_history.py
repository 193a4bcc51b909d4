"""The past of a market from the catalog of `desk data`.

Tests: tests/desk/wiring/test_data_download.py
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.errors import TapeError
from desk.model.ticks import Trade
from desk.model.timeframes import Timeframe
from desk.model.units import SECOND_NS
from desk.tape.catalog import Catalog
from desk.venues.market_history import HistoryUnavailable


class CatalogHistory:
    """A `MarketHistory` of one source of the catalog, with minute bars as they were fetched."""

    def __init__(self, catalog: Catalog, source: str) -> None:
        self.place = f"{catalog.folder}/{source}"
        self._catalog = catalog
        self._source = source

    def trades(self, symbols: Sequence[str], from_ns: int, to_ns: int) -> Iterator[list[Trade]]:  # noqa: ARG002 - port
        """Not from the catalog."""
        raise HistoryUnavailable(f"{self.place}: trades are replayed as a tape")

    def bars(self, symbols: Sequence[str], timeframe: Timeframe, from_ns: int, to_ns: int) -> dict[str, list[Bar]]:
        """The bars by symbol, oldest first."""
        if timeframe != "1m":
            raise HistoryUnavailable(f"{self.place}: {timeframe} bars are made of minutes")
        days = list(_days(from_ns, to_ns))
        try:
            return {
                symbol: [
                    bar
                    for day in days
                    for bar in self._catalog.bars(self._source, day, symbol)
                    if from_ns <= bar.minute_ns < to_ns
                ]
                for symbol in symbols
            }
        except TapeError as error:
            raise HistoryUnavailable(str(error)) from error

    def actions(self, symbols: Sequence[str], from_day: date, to_day: date) -> list[CorporateAction]:
        """The corporate actions that are effective within these days."""
        wanted = set(symbols)
        try:
            known = self._catalog.actions(self._source)
        except TapeError as error:
            raise HistoryUnavailable(str(error)) from error
        return [one for one in known if one.symbol in wanted and from_day <= one.effective <= to_day]


def _days(from_ns: int, to_ns: int) -> Iterator[date]:
    """The dates that a range may touch in any time zone."""
    day = datetime.fromtimestamp(from_ns // SECOND_NS, UTC).date() - timedelta(1)
    last = datetime.fromtimestamp(to_ns // SECOND_NS, UTC).date() + timedelta(1)
    while day <= last:
        yield day
        day += timedelta(1)
