"""The progress of a session."""

from dataclasses import dataclass


@dataclass
class Progress:
    """The session time reached, whether a mark was set, and the lag of the last ticks."""

    session_ns: int
    marked: bool = False
    feed_lag_ns: int = 0
