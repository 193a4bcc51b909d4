"""Times of the source's events in session time: their own, or those of a restamped play.

Tests: tests/desk/local_venue/test_market_store.py
"""

import numpy as np

from desk.local_venue.byte_fields import Ints
from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.rest_fault import RestFault
from desk.local_venue.schedule import Schedule
from desk.local_venue.venue_settings import PlaySettings


class SessionTimes:
    """Repeats the player's stamps (desk/local_venue/player.py). The schedule of a rate follows from its seed."""

    def __init__(self, play: PlaySettings) -> None:
        self._play = play
        self._lengths: list[int] = []
        self._due_ns: Ints = np.zeros(0, np.int64)
        self._due_of = (-1, -1)

    def count(self, events: int) -> None:
        """Note the length of the play's next chunk."""
        self._lengths.append(events)

    def of(self, moment: PlayMoment, recv_ns: Ints, ts_ns: Ints, number: Ints) -> Ints:
        """The session times of events. Raises RestFault for a restamped play that follows no schedule."""
        play = self._play
        if not (play.restamp and len(ts_ns)):
            return ts_ns
        if play.speed is not None:
            due_ns: Ints = ((recv_ns - moment.first_recv_ns) / play.speed).astype(np.int64)
            return moment.round_start_ns + due_ns - (recv_ns - ts_ns)
        if play.rate_per_s is None:
            raise RestFault(422, "the venue knows no history while it plays at --speed max with --restamp")
        all_due_ns = self._rate_due(moment.rounds)
        at_ns: Ints = moment.round_start_ns - all_due_ns[0] + all_due_ns[number]
        return at_ns

    def _rate_due(self, rounds: int) -> Ints:
        """The due times of this round's events, by their number."""
        if self._due_of != (rounds, len(self._lengths)):
            schedule = Schedule(self._play)
            for _ in range(rounds + 1):
                due = [schedule.due(np.zeros(length, np.int64)) for length in self._lengths]
            self._due_ns = np.concatenate(due) if due else np.zeros(0, np.int64)
            self._due_of = (rounds, len(self._lengths))
        return self._due_ns
