"""How far the producer is in its session."""

from dataclasses import dataclass


@dataclass
class Progress:
    """The session time reached, whether any mark was set, and how late the last ticks were; all of it rises."""

    session_ns: int
    marked: bool = False
    feed_lag_ns: int = 0
