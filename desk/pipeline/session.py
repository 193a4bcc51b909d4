"""What everybody in the desk must know alike about the session that is run."""

import msgspec

from desk.model.hours import ALWAYS_OPEN, TradingDay


class Session(msgspec.Struct, frozen=True):
    """One session, worked out once from plan and market data.

    `id` is the first part of every client_order_id; in replay it is plan name and tape date, so that a rerun
    makes the same ids. `day` is the exchange's date. `market` are all symbols that the source knows,
    `always` those subscribed by the plan. `history`: the source has rows before `start_ns`.
    `live`: session time is real time. `hours` are those of the exchange day. `has_trades`: the feed carries trades.
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
