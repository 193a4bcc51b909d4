"""One lane at one moment, as the producer reports it to the live view and to scaling."""

import msgspec


class LaneRow(msgspec.Struct, array_like=True):
    """`depth` of `capacity` ticks wait, `in_flight` of `window` batches are not acknowledged.

    `conflated` (quotes) and `dropped` (ticks, by cause) are totals since the run began. `busy_ns` is the total time
    that the shard has worked, `age_ns` the time that the oldest tick has waited.
    """

    shard: int
    depth: int
    capacity: int
    in_flight: int
    window: int
    conflated: int = 0
    dropped_by_cause: dict[str, int] = {}
    busy_ns: int = 0
    age_ns: int = 0

    @property
    def dropped(self) -> int:
        """Ticks dropped for any cause."""
        return sum(self.dropped_by_cause.values())
