"""The session, which every process of the desk knows identically."""

import msgspec

from desk.model.history import HistoryNeeds
from desk.model.hours import ALWAYS_OPEN, TradingDay


class Session(msgspec.Struct, frozen=True):
    """One session, derived once from plan and market data: an exchange day, or a part of it.

    `id` is the first part of every client_order_id; in replay it is plan name and tape date, so that a rerun makes the
    same ids. `day` is the exchange's date. `market` are all symbols of the source, `always` those subscribed by the
    plan. `history`: the source has rows before `start_ns`. `live`: session time is real time. `hours` are those of the
    exchange day. `has_trades`: the feed carries trades. `outside` counts the rows of a tape that belong to no part of
    this day, by class. `waits` is the reason why a live session starts later than now; "" if it starts at once.
    `needs` are the bars of the past that its symbols need.
    """

    id: str
    day: str
    timezone: str
    start_ns: int
    stop_ns: int | None
    end_ns: int | None
    market: tuple[str, ...]
    always: tuple[str, ...]
    history: bool
    lockstep: bool
    live: bool = False
    hours: TradingDay = ALWAYS_OPEN
    has_trades: bool = True
    outside: dict[str, int] = {}
    waits: str = ""
    needs: HistoryNeeds = HistoryNeeds()
