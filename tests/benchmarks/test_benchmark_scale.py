"""The cost formula: the fit finds the terms behind given figures, and its residual."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scale import CostSample, Fit, fits

TERMS = st.floats(0.0, 1e6)


def made_by(fit: Fit) -> list[CostSample]:
    samples = []
    for shards in (1, 2, 4, 8):
        for rate in (10_000.0, 50_000.0, 200_000.0):
            sample = CostSample(shards, rate, batches_per_s=shards * 150.0 + rate / 1000, cost_us=0.0)
            samples.append(CostSample(shards, rate, sample.batches_per_s, fit.cost_us(sample)))
    return samples


@given(event_us=st.floats(0.5, 10.0), batch_us=TERMS, shard_us=TERMS, second_us=TERMS)
def test_the_fit_of_what_a_formula_made_is_that_formula(
    event_us: float, batch_us: float, shard_us: float, second_us: float
) -> None:
    samples = made_by(Fit(event_us, batch_us, shard_us, second_us))

    found = Fit.of(samples)

    assert max(abs(found.residual(sample)) for sample in samples) < 1e-6


@given(costs=st.lists(st.floats(1.0, 500.0), min_size=12, max_size=12))
def test_no_term_is_below_zero(costs: list[float]) -> None:
    blank = made_by(Fit(1.0, 1.0, 1.0, 1.0))
    samples = [CostSample(p.shards, p.rate_per_s, p.batches_per_s, cost) for p, cost in zip(blank, costs, strict=True)]

    found = Fit.of(samples)

    assert min(found.event_us, found.batch_us, found.shard_us, found.second_us) >= 0


def test_a_residual_is_a_share_of_what_was_measured() -> None:
    fit = Fit(2.0, 100.0, 0.0, 10_000.0)

    off = fit.residual(CostSample(shards=3, rate_per_s=1_000.0, batches_per_s=10.0, cost_us=26.0))

    assert fit.cost_us(CostSample(3, 1_000.0, 10.0, 0.0)) == pytest.approx(2.0 + 1.0 + 10.0)
    assert off == pytest.approx(-0.5)


def test_trials_that_were_not_sustained_say_nothing_about_cost() -> None:
    figures = ("cpu_us_of_producer", "cpu_us_of_consumers", "cpu_us_per_event")
    good = [
        {"shards": shards, "applied_per_s": rate, "batches_per_s": 500, "sustained": "yes", **dict.fromkeys(figures, 5)}
        for shards in (1, 2)
        for rate in (10_000, 50_000)
    ]
    bad = good[0] | {"sustained": "1 dropped"} | dict.fromkeys(figures, 9_999)

    table = fits([*good, bad])

    assert [row["what"] for row in table] == ["producer", "consumers", "whole"]
    assert all(row["trials"] == 4 for row in table)
    assert table == fits(good)
