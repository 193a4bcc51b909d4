"""Whether a rate is sustained, and the search for the highest one."""

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
    """Figures of a window of `seconds`: the venue sent `sent` of the `due` events of its schedule.

    `growth_s` is the increase of the data's age, `dropped` counts dropped events and closed connections.
    """

    seconds: float
    due: float
    sent: int
    dropped: int
    growth_s: float
    queue_p99_s: float | None

    @property
    def sent_share(self) -> float:
        """The share of the schedule that was sent."""
        return self.sent / self.due if self.due else 0.0

    def failing(self) -> str:
        """Why the rate was not sustained; "" if it was.

        Sustained means: 99.5 % of the schedule sent, nothing dropped, a backlog that grew by at most 1 % of the window
        (so over 99 % of the load was processed), and p99 time in queue below a second.
        """
        if self.sent_share < SENT_SHARE:
            return f"venue sent {100 * self.sent_share:.1f}%"
        if self.dropped:
            return f"{self.dropped:,} dropped"
        if self.growth_s > GROWTH_SHARE * self.seconds:
            return f"backlog grew by {self.growth_s:.2f} s"
        if self.queue_p99_s is None:
            return "nothing was applied"
        return f"p99 in queue {self.queue_p99_s:.2f} s" if self.queue_p99_s >= QUEUE_S else ""


def highest(sustains: Callable[[float], bool], start: float) -> float:
    """Search for the highest sustained rate: steps of +25 % from `start` until one fails, then one bisection.

    If `start` fails, steps go down until a rate is sustained. Returns 0 if that takes more than MAX_STEPS.
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
