"""Alpaca's REST paths and what answers them."""

import re
from collections.abc import Callable
from typing import Any, Final

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.alpaca_actions import AlpacaActions
from desk.local_venue.rest.alpaca_data import AlpacaData
from desk.local_venue.rest.alpaca_screener import AlpacaScreener
from desk.local_venue.rest.alpaca_trading import AlpacaTrading
from desk.local_venue.rest.query import Query

Answer = Callable[[re.Match[str], Query, PlayMoment], Any]

NO_PATH: Final = "endpoint not found."


class AlpacaAnswers:
    """One method for each path; a path that none matches is not Alpaca's."""

    def __init__(
        self,
        stocks: AlpacaData,
        crypto: AlpacaData,
        trading: AlpacaTrading,
        screener: AlpacaScreener,
        actions: AlpacaActions,
    ) -> None:
        series, latest = "trades|quotes|bars", "trades|quotes|bars|orderbooks"
        routes: dict[str, Answer] = {
            rf"/v2/stocks/({series})": lambda path, query, now: stocks.history(path[1], query, now),
            rf"/v2/stocks/({series})/latest": lambda path, query, now: stocks.latest(path[1], query, now),
            r"/v2/stocks/snapshots": lambda _, query, now: stocks.snapshots(query, now),
            rf"/v1beta3/crypto/us/({series})": lambda path, query, now: crypto.history(path[1], query, now),
            rf"/v1beta3/crypto/us/latest/({latest})": lambda path, query, now: crypto.latest(path[1], query, now),
            r"/v1beta3/crypto/us/snapshots": lambda _, query, now: crypto.snapshots(query, now),
            r"/v1beta1/screener/stocks/most-actives": lambda _, query, now: screener.most_actives(query, now),
            r"/v1beta1/screener/(stocks|crypto)/movers": lambda path, query, now: screener.movers(path[1], query, now),
            r"/v1/corporate-actions": lambda _, query, now: actions.actions(query, now),
            r"/v2/assets": lambda _, query, __: trading.assets(query),
            r"/v2/assets/(.+)": lambda path, _, __: trading.asset(path[1]),
            r"/v2/calendar": lambda _, query, now: trading.calendar(query, now),
            r"/v2/clock": lambda _, __, now: trading.clock(now),
        }
        self._routes = [(re.compile(pattern), answer) for pattern, answer in routes.items()]

    def answer(self, path: str, query: Query, moment: PlayMoment) -> Any:
        """The body of the answer; None if no path matches. Raises RestFault."""
        for pattern, answer in self._routes:
            found = pattern.fullmatch(path)
            if found is not None:
                return answer(found, query, moment)
        return None
