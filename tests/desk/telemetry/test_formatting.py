import pytest

from desk.telemetry import formatting


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0"), (812.4, "812"), (999.7, "1.0k"), (8_123, "8.1k"), (120_400, "120k"), (999_960, "1.0M"), (2.5e9, "2.5G")],
)
def test_short_counts_stay_short(number: float, told: str) -> None:
    assert formatting.short_count(number) == told


@pytest.mark.parametrize(
    ("value_ms", "told"),
    [(None, "-"), (0.84, "840 µs"), (1.5, "1.50 ms"), (12.34, "12.3 ms"), (850, "850 ms"), (4_200, "4.20 s")],
)
def test_a_latency_is_reported_in_the_unit_that_suits_it(value_ms: float | None, told: str) -> None:
    assert formatting.milliseconds(value_ms) == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.84, "0.84 s"), (42, "42.0 s"), (192, "3 min 12 s"), (23_400, "6 h 30 min")]
)
def test_a_duration_is_reported_in_the_unit_that_suits_it(seconds: float, told: str) -> None:
    assert formatting.duration(seconds) == told


def test_money_bears_its_sign() -> None:
    assert [formatting.money(amount) for amount in (1_234.5, -3, 0, -0.001)] == ["+1,234.50", "-3.00", "0.00", "0.00"]


def test_the_open_of_2013_10_07_is_half_past_nine_at_the_exchange() -> None:
    open_ns = 1_381_152_600 * 1_000_000_000

    assert formatting.exchange_time(open_ns) == "2013-10-07 09:30:00"
    assert formatting.utc_time(open_ns) == "2013-10-07 13:30:00 UTC"
    assert formatting.exchange_time(None) == "-"


def test_things_are_counted_in_words() -> None:
    assert [formatting.some(n, "gap") for n in (0, 1, 2_000)] == ["no gaps", "1 gap", "2,000 gaps"]
