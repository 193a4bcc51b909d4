"""Activity of the made-up market over a day."""

import numpy as np
import pytest

from desk.feeds.synthetic.intraday_profile import IntradayProfile

DAY_S = 390 * 60


@pytest.mark.parametrize("duration_s", [1, 600, DAY_S, DAY_S + 3_600, 3 * DAY_S])
def test_the_mean_level_of_any_session_is_one(duration_s: int) -> None:
    shape = IntradayProfile(duration_s)

    levels = [shape.level(second) for second in range(duration_s)]

    assert np.mean(levels) == pytest.approx(1.0)


def test_a_short_session_has_the_proportions_of_the_day_it_begins() -> None:
    hour, day = IntradayProfile(3_600), IntradayProfile(DAY_S)

    assert hour.level(0) / hour.level(3_000) == pytest.approx(day.level(0) / day.level(3_000))
    assert hour.agitation(100) == day.agitation(100)


def test_the_open_and_the_close_are_busier_than_noon() -> None:
    shape = IntradayProfile(DAY_S)

    assert shape.level(0) > 3 * shape.level(DAY_S / 2)
    assert shape.level(DAY_S - 1) > 2 * shape.level(DAY_S / 2)
    assert shape.agitation(0) > shape.agitation(DAY_S / 2)
