"""Alpaca's corporate actions, from a table.

Keys: docs.alpaca.markets, "Corporate actions".

Tests: tests/desk/local_venue/test_alpaca_answers.py
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.market_past import MarketPast
from desk.local_venue.rest.paging import PageToken
from desk.local_venue.rest.query import Query
from desk.local_venue.rest.trading_days import STOCKS, date_of
from desk.model.corporate_actions import CorporateAction

PAGE_ACTIONS: Final = 1000
NO_CUSIP: Final = ""


class AlpacaActions:
    """A row of the table is a split, a cash dividend, a name change, or several of them on one day."""

    def __init__(self, actions: Sequence[CorporateAction], past: MarketPast) -> None:
        found = [(kind, record) for action in actions for kind, record in _records(action)]
        self._records = sorted(found, key=lambda entry: (entry[1]["process_date"], entry[0], _symbol(entry[1])))
        self._past = past

    def actions(self, query: Query, moment: PlayMoment) -> dict[str, Any]:
        """A page of the actions that take effect from `start` to `end`, both included. Raises RestFault."""
        today = date_of(moment.session_ns, self._past.days(STOCKS).zone)
        first, last = (query.day(name, today).isoformat() for name in ("start", "end"))
        symbols, kinds, ids = set(query.names("symbols")), set(query.names("types")), set(query.names("ids"))
        chosen = [
            (kind, record)
            for kind, record in self._records
            if (record["id"] in ids if ids else first <= record["process_date"] <= last)
            and (not symbols or _symbol(record) in symbols)
            and (not kinds or kind in kinds)
        ]
        if query.choice("sort", "asc", "asc", "desc") == "desc":
            chosen.reverse()
        token = PageToken.read(query.text("page_token"))
        at = 0 if token is None else token.number
        stop = at + query.whole("limit", PAGE_ACTIONS, PAGE_ACTIONS)
        page: dict[str, list[dict[str, Any]]] = {}
        for kind, record in chosen[at:stop]:
            page.setdefault(f"{kind}s", []).append(record)
        following = PageToken("", 0, stop).text() if stop < len(chosen) else None
        return {"corporate_actions": page, "next_page_token": following}


def _records(action: CorporateAction) -> list[tuple[str, dict[str, Any]]]:
    """The records of a row, by their type."""
    day = action.effective.isoformat()
    dates = {"process_date": day, "ex_date": day}
    ratio = {"new_rate": action.new_shares, "old_rate": action.old_shares}
    out: list[tuple[str, dict[str, Any]]] = []
    if action.new_shares > action.old_shares:
        out.append(("forward_split", {"symbol": action.symbol, "cusip": NO_CUSIP, **ratio, **dates}))
    elif action.new_shares < action.old_shares:
        cusips = {"old_cusip": NO_CUSIP, "new_cusip": NO_CUSIP}
        out.append(("reverse_split", {"symbol": action.symbol, **cusips, **ratio, **dates}))
    if action.cash:
        dividend = {"rate": action.cash, "special": False, "foreign": False}
        out.append(("cash_dividend", {"symbol": action.symbol, "cusip": NO_CUSIP, **dividend, **dates}))
    if action.new_symbol:
        names = {"old_symbol": action.symbol, "new_symbol": action.new_symbol}
        cusips = {"old_cusip": NO_CUSIP, "new_cusip": NO_CUSIP}
        out.append(("name_change", {**names, **cusips, "process_date": day}))
    return [
        (kind, {"id": str(uuid5(NAMESPACE_DNS, f"{kind} {action.symbol} {day}")), **record}) for kind, record in out
    ]


def _symbol(record: dict[str, Any]) -> str:
    symbol: str = record.get("symbol") or record["old_symbol"]
    return symbol
