"""bars.parquet: its columns, one row per symbol and minute, sorted."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from desk.model.bars import Bar
from desk.model.errors import RunFailed
from desk.runs import bars_file
from desk.runs.bars_file import FLAGS, write_bars

COLUMNS = ["symbol", "minute_ns", "open", "high", "low", "close", "volume", "vwap", "trades", "flags"]


def bar(symbol: str, minute_ns: int, volume: float = 4.0, flags: str = "complete") -> Bar:
    return Bar(symbol, minute_ns, 1.0, 3.0, 0.5, 2.0, volume, 10.0, 7, minute_ns, 1, minute_ns, 2, flags)


def test_a_bar_is_one_row_of_the_contract_s_columns(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"

    assert write_bars(path, [bar("SPY", 60, flags="repaired")]) == 1

    table = pq.read_table(path)
    assert table.column_names == COLUMNS
    assert table.to_pylist() == [
        dict(zip(COLUMNS, ["SPY", 60, 1.0, 3.0, 0.5, 2.0, 4.0, 2.5, 7, "repaired"], strict=True))
    ]


def test_an_empty_file_has_the_same_types(tmp_path: Path) -> None:
    write_bars(tmp_path / "none.parquet", [])
    write_bars(tmp_path / "one.parquet", [bar("SPY", 60)])

    none, one = pq.read_schema(tmp_path / "none.parquet"), pq.read_schema(tmp_path / "one.parquet")

    assert none.equals(one)
    assert [str(none.field(name).type) for name in ("symbol", "minute_ns", "vwap", "trades")] == [
        "string", "int64", "double", "int64",
    ]  # fmt: skip
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


def test_a_minute_without_a_price_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"

    rows = write_bars(path, [Bar("SPY", 60, volume=5.0, notional=50.0, trades=1), bar("SPY", 120)])

    assert rows == 1
    assert pq.read_table(path)["minute_ns"].to_pylist() == [120]


def test_a_price_without_counted_volume_has_no_vwap(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"

    write_bars(path, [bar("SPY", 60, volume=0.0)])

    assert math.isnan(pq.read_table(path)["vwap"].to_pylist()[0])


def test_many_bars_are_written_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars_file, "ROW_GROUP_ROWS", 100)
    path = tmp_path / "bars.parquet"

    rows = write_bars(path, (bar(symbol, minute) for minute in range(50, 0, -1) for symbol in "dacbe"))

    assert rows == 250
    assert pq.ParquetFile(path).metadata.num_row_groups == 3
    table = pq.read_table(path)
    keys = list(zip(table["symbol"].to_pylist(), table["minute_ns"].to_pylist(), strict=True))
    assert keys == [(symbol, minute) for symbol in "abcde" for minute in range(1, 51)]


@examples(50)
@given(
    keys=st.lists(
        st.tuples(st.text("AZaé.", min_size=1, max_size=3), st.integers(-(2**60), 2**60) | st.integers(0, 3)),
        max_size=30,
    )
)
def test_rows_stand_by_symbol_and_minute_with_each_minute_s_last_version(keys: list[tuple[str, int]]) -> None:
    bars = [
        bar(symbol, minute_ns, float(volume), flags=FLAGS[volume % 3])
        for volume, (symbol, minute_ns) in enumerate(keys)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bars.parquet"

        rows = write_bars(path, iter(bars))

        found = pq.read_table(path).select(["symbol", "minute_ns", "volume", "flags"]).to_pylist()
    last = {(each.symbol, each.minute_ns): each for each in bars if each.priced}
    assert rows == len(last)
    assert [tuple(row.values()) for row in found] == [(*key, last[key].volume, last[key].flags) for key in sorted(last)]


def test_a_failed_write_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    def broken() -> object:
        yield bar("SPY", 60)
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        write_bars(tmp_path / "bars.parquet", broken())
    with pytest.raises(RunFailed, match="cannot be written"):
        write_bars(tmp_path / "absent" / "bars.parquet", [bar("SPY", 60)])

    assert list(tmp_path.iterdir()) == []


def test_other_readers_find_plain_strings(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    write_bars(path, [bar("SPY", 60)])

    assert pa.types.is_string(pq.read_table(path).schema.field("flags").type)
