from collections import defaultdict
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.bars.sale_conditions import CONDITIONS, REGULAR, Eligibility, eligibility
from desk.model.units import MINUTE_NS


@pytest.mark.parametrize("code", ["", "@", " ", "F", "T", "FT", "@FT", "O", "6", "?"])
def test_regular_trades_set_every_field(code: str) -> None:
    assert eligibility(code) == REGULAR


@pytest.mark.parametrize("code", ["I", "@I", "@FTI", "B", "W", "V", "7", "C", "N", "R", "H", "U", "TI"])
def test_trades_at_prices_of_their_own_count_for_volume_only(code: str) -> None:
    assert eligibility(code) == Eligibility(volume=True, high_low=False, open_close=False)


@pytest.mark.parametrize("code", ["4", "P", "Z", "TZ", "G"])
def test_trades_at_prices_of_another_time_set_no_open_or_close(code: str) -> None:
    assert eligibility(code) == Eligibility(volume=True, high_low=True, open_close=False)


@pytest.mark.parametrize("code", ["M", "Q", "9", "@M", "6M"])
def test_reports_that_are_no_trades_count_for_nothing(code: str) -> None:
    assert eligibility(code) == Eligibility(volume=False, high_low=False, open_close=False)


@given(st.text("".join(CONDITIONS) + " ?x"))
def test_the_most_restrictive_letter_wins_in_each_field(code: str) -> None:
    alone = [eligibility(letter) for letter in code]

    expected = tuple(all(field) for field in zip(*alone, strict=True)) or REGULAR
    assert eligibility(code) == expected


def test_volume_agrees_with_published_minute_bars(shared_data: Path) -> None:
    columns = ["kind", "symbol", "ts_ns", "size", "conditions"]
    tape = pq.read_table(shared_data / "us-2013-10-07.parquet", columns=columns, filters=[("kind", "=", "trade")])
    minute = pc.multiply(pc.divide(tape.column("ts_ns"), MINUTE_NS), MINUTE_NS)
    sizes = tape.append_column("minute_ns", minute).group_by(["symbol", "minute_ns", "conditions"])
    ours: dict[tuple[str, int], float] = defaultdict(float)
    for row in sizes.aggregate([("size", "sum")]).to_pylist():
        if eligibility(row["conditions"]).volume:
            ours[row["symbol"], row["minute_ns"]] += row["size_sum"]
    last_ns = max(minute_ns for _, minute_ns in ours)
    published = pq.read_table(shared_data / "us-2013-10-minute-bars.parquet").to_pylist()
    theirs = {(row["symbol"], row["minute_ns"]): row["volume"] for row in published if row["minute_ns"] <= last_ns}

    agree = [ours.get(minute) == volume for minute, volume in theirs.items()]

    assert len(theirs) == 2_309
    assert sum(agree) / len(agree) >= 0.99
