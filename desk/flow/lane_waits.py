"""How long a batch has waited in its lane, and why the lane did not cut it before.

Tests: tests/desk/flow/test_lane_waits.py
"""

from typing import Final, Literal, NamedTuple

Refusal = Literal["", "backpressure", "linger"]
NO_REFUSAL: Final = ""


class LaneWait(NamedTuple):
    """How long the batch cut last waited for its lane, in ns of wall time: `oldest_ns` is its oldest tick's receipt.

    `backpressure_ns`: the window was closed. `linger_ns`: the lane waited for more items, as the plan has it.
    """

    oldest_ns: int
    backpressure_ns: int
    linger_ns: int


class LaneRefusals:
    """Since when, and for how long in all, a lane has refused to cut what waits."""

    def __init__(self) -> None:
        self.backpressure_ns = self.linger_ns = 0
        self._why: Refusal = NO_REFUSAL
        self._since_ns = 0

    def note(self, why: Refusal, now_ns: int) -> None:
        """From now on it refuses for this reason, or not any longer."""
        if why == self._why:
            return
        if self._why == "backpressure":
            self.backpressure_ns += now_ns - self._since_ns
        elif self._why == "linger":
            self.linger_ns += now_ns - self._since_ns
        self._why, self._since_ns = why, now_ns

    def clear(self) -> None:
        """Begin anew, for the next batch."""
        self.backpressure_ns = self.linger_ns = 0
