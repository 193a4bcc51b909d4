"""Whether a rate was sustained, and the search for the highest that is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SENT_SHARE: Final = 0.995
GROWTH_SHARE: Final = 0.01
QUEUE_S: Final = 1.0
STEP: Final = 1.25
MAX_STEPS: Final = 16


@dataclass(frozen=True)
class Window:
    """What was seen over `seconds`: `due` events by the venue's schedule, of which `sent` went out.

    `growth_s` is how much older the data got, `dropped` counts events let go and connections lost.
    """

    seconds: float
    due: float
    sent: int
    dropped: int
    growth_s: float
    queue_p99_s: float | None

    @property
    def sent_share(self) -> float:
        """The part of the schedule that went out."""
        return self.sent / self.due if self.due else 0.0

    def failing(self) -> str:
        """Why the rate was not sustained; "" when it was.

        99.5 % of the schedule sent, nothing dropped, no growing backlog (1 % of the window at most: the rate
        kept up with is then above 99 % of that offered), p99 time in queue below a second.
        """
        if self.sent_share < SENT_SHARE:
            return f"venue sent {100 * self.sent_share:.1f}%"
        if self.dropped:
            return f"{self.dropped:,} dropped"
        if self.growth_s > GROWTH_SHARE * self.seconds:
            return f"backlog grew by {self.growth_s:.2f} s"
        if self.queue_p99_s is None:
            return "nothing came through"
        return f"p99 in queue {self.queue_p99_s:.2f} s" if self.queue_p99_s >= QUEUE_S else ""


def highest(sustains: Callable[[float], bool], start: float) -> float:
    """The highest rate found to be sustained: steps of +25 % from `start` until it fails, then one bisection.

    If `start` itself fails, steps go down until one is sustained. 0 if none of MAX_STEPS is.
    """
    up = sustains(start)
    good, bad = (start, None) if up else (0.0, start)
    rate = start
    for _ in range(MAX_STEPS):
        rate = rate * STEP if up else rate / STEP
        if sustains(rate) == up:
            good, bad = (rate, bad) if up else (good, rate)
            continue
        good, bad = (good, rate) if up else (rate, bad)
        break
    if not good or bad is None:
        return good
    middle = (good + bad) / 2
    return middle if sustains(middle) else good
