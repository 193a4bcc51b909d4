"""The session's shape: the market's activity at each second of its day."""

import numpy as np
from numpy.typing import NDArray

from desk.feeds.synthetic.universe import REGULAR_SESSION_S


def _day_curve() -> NDArray[np.float64]:
    """The U of a 390-minute day by the second: a fast decay from the open, a rise into the close."""
    minute = (np.arange(REGULAR_SESSION_S) + 0.5) / 60.0
    curve: NDArray[np.float64] = 0.55 + 2.2 * np.exp(-minute / 18.0) + 1.4 * np.exp((minute - 390.0) / 22.0)
    return curve


class IntradayProfile:
    """Activity over a session of `duration_s`, as a multiple of that session's own mean.

    A shorter session is the beginning of the day; a longer one begins another day where the first ends.
    """

    def __init__(self, duration_s: int) -> None:
        self._curve = _day_curve()
        days, rest_s = divmod(duration_s, REGULAR_SESSION_S)
        self._mean = float(days * self._curve.sum() + self._curve[:rest_s].sum()) / duration_s

    def level(self, second: float) -> float:
        """Activity at this second since the session's start, as a multiple of the session's mean."""
        return float(self._curve[int(second) % REGULAR_SESSION_S]) / self._mean

    def agitation(self, second: float) -> float:
        """The day's own volatility at this second: 1 on the day's average, whatever the session's length."""
        return float(np.sqrt(self._curve[int(second) % REGULAR_SESSION_S] / self._curve.mean()))
