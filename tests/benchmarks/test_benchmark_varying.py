"""A load with a varying rate: the arrivals match its stretches."""

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.varying import Stretch, VaryingLoad, varying
from desk.model.units import SECOND_NS

STRETCHES = (Stretch(1_000.0, 3.0), Stretch(20_000.0, 2.0), Stretch(500.0, 4.0))


def load(*, symbols: int = 30, playing: int = 30, rotate_s: float = 0.0) -> VaryingLoad:
    return VaryingLoad(STRETCHES, symbols=symbols, playing=playing, rotate_s=rotate_s, quotes=False, seed=3)


def seconds_of(source: VaryingLoad) -> np.ndarray:
    return np.concatenate([(block.recv_ns - source.start_ns) / SECOND_NS for block in source.blocks()])


def test_each_stretch_has_its_rate() -> None:
    at_s = seconds_of(load())

    counts, _ = np.histogram(at_s, [0, 3, 5, 9])

    # Poisson counts: five deviations.
    for count, stretch in zip(counts, STRETCHES, strict=True):
        expected = stretch.rate_per_s * stretch.seconds
        assert count == pytest.approx(expected, abs=5 * expected**0.5)


def test_time_never_goes_back_and_ends_with_the_stretches() -> None:
    source = load()

    at_s = seconds_of(source)

    assert (np.diff(at_s) >= 0).all()
    assert at_s[-1] < 9.0
    assert source.end_ns == source.start_ns + 9 * SECOND_NS


def test_it_is_the_same_in_every_reading() -> None:
    source = load(rotate_s=1.0, symbols=90)

    assert np.array_equal(seconds_of(source), seconds_of(source))


def test_symbols_come_and_go() -> None:
    source = load(symbols=90, playing=30, rotate_s=1.0)

    first = np.concatenate([block.symbol[block.recv_ns < source.start_ns + SECOND_NS] for block in source.blocks()])
    last = np.concatenate([block.symbol[block.recv_ns > source.start_ns + 8 * SECOND_NS] for block in source.blocks()])

    assert set(first.tolist()) == set(range(30))
    assert min(last) >= 24
    assert max(last) < 54


def test_a_stretch_parses_its_own_text() -> None:
    command = varying(STRETCHES)

    flags = [part for flag, part in pairwise(command) if flag == "--stretch"]

    assert [Stretch.parse(part) for part in flags] == list(STRETCHES)
