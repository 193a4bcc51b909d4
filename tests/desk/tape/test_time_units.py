"""Times of a tape: plausible nanoseconds, or refused with the unit that they seem to have."""

from pathlib import Path

import pytest
from day_tapes import a_tape, block_of, row
from hypothesis import given
from hypothesis import strategies as st

from desk.model.errors import TapeError
from desk.model.units import SECOND_NS
from desk.tape.reader import TapeSource
from desk.tape.time_units import END_NS, FIRST_NS, refuse_implausible
from desk.tape.writer import TapeWriter

OPEN = row("2024-03-05 14:30")
UNITS = {"microseconds": 10**3, "milliseconds": 10**6, "seconds": 10**9}


@given(st.integers(FIRST_NS + SECOND_NS, END_NS - 1), st.sampled_from(sorted(UNITS)))
def test_a_time_from_1990_to_2099_is_plausible_in_ns_and_named_in_any_other_unit(time_ns: int, unit: str) -> None:
    refuse_implausible("tape", "recv_ns", time_ns)

    with pytest.raises(TapeError) as told:
        refuse_implausible("tape", "recv_ns", time_ns // UNITS[unit])

    assert f"looks like {unit}" in told.value.found
    assert told.value.remedy == f"Multiply `recv_ns` by {UNITS[unit]:,}."


@pytest.mark.parametrize("time", [0, -1, FIRST_NS - 1, END_NS, 2**63 - 1])
def test_a_time_that_fits_no_unit_is_refused_as_it_is(time: int) -> None:
    with pytest.raises(TapeError, match="recv_ns") as told:
        refuse_implausible("tape", "recv_ns", time)

    assert "from 1990 to 2099" in told.value.expected


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_venue_times_in_another_unit_than_received_times_are_named(tmp_path: Path, unit: str) -> None:
    block = block_of([OPEN] * 5)
    block.ts_ns[:4] //= UNITS[unit]
    block.ts_ns[0] = 0  # a row without a venue's time says nothing
    with TapeWriter(tmp_path / "a.parquet") as writer:
        writer.write(block)

    with pytest.raises(TapeError, match=f"`ts_ns` is .* looks like {unit}"):
        TapeSource(tmp_path / "a.parquet").require_ns()


def test_a_few_strange_venue_times_are_no_unit(tmp_path: Path) -> None:
    block = block_of([OPEN] * 5)
    block.ts_ns[:2] = (1_709_649_000, 0)
    with TapeWriter(tmp_path / "a.parquet") as writer:
        writer.write(block)

    TapeSource(tmp_path / "a.parquet").require_ns()


def test_one_file_of_a_folder_in_another_unit_is_named(tmp_path: Path) -> None:
    a_tape(tmp_path / "1.parquet", OPEN)
    a_tape(tmp_path / "2.parquet", OPEN._replace(recv_ns=OPEN.recv_ns // 1000))

    with pytest.raises(TapeError, match="looks like microseconds") as told:
        TapeSource(tmp_path)

    assert told.value.place == f"{tmp_path / '2.parquet'}: row 0"
