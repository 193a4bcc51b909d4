"""The session time that all instances of a shard share."""


class EngineClock:
    """The last mark, and the age of the data at it. Written by the engine alone."""

    __slots__ = ("age_ns", "degraded", "session", "session_ns", "session_start_ns")

    def __init__(self, session: str, session_start_ns: int) -> None:
        self.session = session
        self.session_start_ns = session_start_ns
        self.session_ns = session_start_ns
        self.age_ns = 0
        self.degraded = False
