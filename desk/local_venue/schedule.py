"""The due times of events, in ns since the play began; the schedule does not wait for clients."""

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Ints
from desk.local_venue.venue_settings import PlaySettings
from desk.model.units import SECOND_NS


class Schedule:
    """Due times of consecutive events: those of the source by a factor, or Poisson arrivals from a seed.

    A play as fast as possible uses the source's own times, only to group events into frames.
    """

    def __init__(self, play: PlaySettings) -> None:
        self._speed = play.speed or 1.0
        self._gap_ns = SECOND_NS / play.rate_per_s if play.rate_per_s is not None else None
        self._rng = np.random.default_rng(play.seed)
        self._begun_ns = 0
        self._first_recv_ns: int | None = None
        self.last_ns = 0

    def due(self, recv_ns: Ints) -> Ints:
        """Due times of the next events, never decreasing."""
        if self._gap_ns is not None:
            gaps: NDArray[np.float64] = self._rng.exponential(self._gap_ns, len(recv_ns))
            due = self.last_ns + np.cumsum(gaps).astype(np.int64)
        else:
            if self._first_recv_ns is None:
                self._first_recv_ns = int(recv_ns[0])
            due = self._begun_ns + ((recv_ns - self._first_recv_ns) / self._speed).astype(np.int64)
        self.last_ns = int(due[-1])
        return due

    def begin_again(self) -> None:
        """Restart the source: its first event follows one nanosecond after its last."""
        self._begun_ns = self.last_ns + 1
        self._first_recv_ns = None
