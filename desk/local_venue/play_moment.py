"""The point that a play has reached, for code that answers questions about the market's past.

Tests: tests/desk/local_venue/test_market_store.py
"""

from typing import Literal, Self

import msgspec
from msgspec.structs import replace

PlayState = Literal["waiting", "playing", "ended"]


class PlayMoment(msgspec.Struct, frozen=True):
    """The present of a play. `session_ns` is the session time that /clock says.

    Events that the source received until `reached_ns` have happened. `rounds` are the finished rounds of a looped play,
    with `earlier_events` events. An event of this round that was received `x` after `first_recv_ns` is due at
    `round_start_ns + x / speed`, in session time of a restamped play.
    """

    session_ns: int
    reached_ns: int
    state: PlayState = "playing"
    rounds: int = 0
    earlier_events: int = 0
    round_start_ns: int = 0
    first_recv_ns: int = 0

    def delayed(self, delay_ns: int) -> Self:
        """What a feed shows that is late by so much session time."""
        return replace(self, session_ns=self.session_ns - delay_ns, reached_ns=self.reached_ns - delay_ns)
