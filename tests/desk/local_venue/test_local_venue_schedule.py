import numpy as np
import pytest

from desk.local_venue.schedule import Schedule
from desk.local_venue.venue_settings import PlaySettings

RECEIVED = np.array([100, 100, 400, 1_000]) + 10**18


def test_a_factor_of_real_time_scales_the_times_of_receipt() -> None:
    assert Schedule(PlaySettings(speed=2.0)).due(RECEIVED).tolist() == [0, 0, 150, 450]


def test_the_next_round_follows_the_one_before() -> None:
    schedule = Schedule(PlaySettings(speed=1.0))
    schedule.due(RECEIVED)

    schedule.begin_again()

    assert schedule.due(RECEIVED).tolist() == [901, 901, 1_201, 1_801]


def test_a_rate_is_poisson_arrivals_whatever_the_source() -> None:
    due = Schedule(PlaySettings(speed=None, rate_per_s=10_000.0)).due(np.zeros(100_000, np.int64))

    gaps_s = np.diff(due) / 1e9
    assert gaps_s.mean() == pytest.approx(1e-4, rel=0.02)
    assert gaps_s.std() == pytest.approx(1e-4, rel=0.03)
    assert (gaps_s >= 0).all()


def test_arrivals_are_the_same_for_a_seed_however_they_are_requested() -> None:
    play = PlaySettings(speed=None, rate_per_s=400.0, seed=7)
    whole, parts, other = Schedule(play), Schedule(play), Schedule(PlaySettings(speed=None, rate_per_s=400.0, seed=8))

    in_parts = [*parts.due(RECEIVED[:1]), *parts.due(RECEIVED[1:])]

    assert np.allclose(whole.due(RECEIVED), in_parts, atol=4)
    assert in_parts != other.due(RECEIVED).tolist()
