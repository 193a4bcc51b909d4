"""The session time that all instances of a shard share."""

from desk.bars.session_grid import SessionGrid
from desk.model.hours import ALWAYS_OPEN, TradingDay


class EngineClock:
    """The last mark, and the age of the data at it. Written by the engine alone.

    `closed_to_ns` is the venue time up to which bars are closed: while several minutes close at one mark it rises from
    one to the next. `grid` divides the exchange day into longer bars.
    """

    __slots__ = ("age_ns", "closed_to_ns", "degraded", "grid", "session", "session_ns", "session_start_ns")

    def __init__(self, session: str, session_start_ns: int, hours: TradingDay = ALWAYS_OPEN) -> None:
        self.session = session
        self.session_start_ns = session_start_ns
        self.session_ns = session_start_ns
        self.age_ns = 0
        self.degraded = False
        self.closed_to_ns = 0
        self.grid = SessionGrid(hours)
