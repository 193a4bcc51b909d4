import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from desk.model.blocks import UNKNOWN
from desk.model.errors import TapeError
from desk.tape.reader import TapeSource
from desk.tape.schema import REQUIRED, VERSION_KEY

Table = Any


def rows(*recv_ns: int, symbol: str | None = "AAA", kind: str | None = "trade") -> Table:
    count = len(recv_ns)
    values: dict[str, list[Any]] = {name: [None] * count for name in REQUIRED.names}
    values |= {"recv_ns": list(recv_ns), "ts_ns": list(recv_ns), "kind": [kind] * count, "symbol": [symbol] * count}
    values |= {"price": [1.0] * count, "size": [2.0] * count}
    return pa.table(values, REQUIRED.with_metadata({VERSION_KEY: b"1"}))


def save(path: Path, table: Table, rows_per_group: int = 1_000) -> Path:
    pq.write_table(table, path, row_group_size=rows_per_group)
    return path


def test_a_folder_is_read_in_name_order_as_one_tape(tmp_path: Path) -> None:
    save(tmp_path / "b.parquet", rows(30, 40, symbol="AAA"))
    save(tmp_path / "a.parquet", rows(10, 20, symbol="ZZZ"), rows_per_group=1)
    (tmp_path / "notes.txt").write_text("not a tape")

    source = TapeSource(tmp_path)
    blocks = list(source.blocks())

    assert (source.rows, source.symbols, source.start_ns, source.end_ns) == (4, ("AAA", "ZZZ"), 10, 41)
    assert [block.recv_ns.tolist() for block in blocks] == [[10], [20], [30, 40]]
    assert [block.first_ordinal for block in blocks] == [0, 1, 2]
    assert [[block.symbols[index] for index in block.symbol] for block in blocks] == [["ZZZ"], ["ZZZ"], ["AAA", "AAA"]]


def test_a_glob_is_read_in_name_order(tmp_path: Path) -> None:
    for name, at in (("2.parquet", 20), ("1.parquet", 10), ("x.other", 5)):
        save(tmp_path / name, rows(at))

    assert [file.name for file in TapeSource(tmp_path / "*.parquet").files] == ["1.parquet", "2.parquet"]


def test_a_relative_glob_is_read_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "1.parquet", rows(10))
    monkeypatch.chdir(tmp_path)

    assert TapeSource("[0-9].parquet").rows == 1


def test_every_reading_begins_anew(tmp_path: Path) -> None:
    source = TapeSource(save(tmp_path / "a.parquet", rows(10, 20)))

    assert [len(block) for block in source.blocks()] == [len(block) for block in source.blocks()] == [2]


def test_nulls_and_unknown_kinds_are_distinguished(tmp_path: Path) -> None:
    table = rows(1, kind="note").set_column(1, "ts_ns", pa.array([None], pa.int64()))

    (block,) = TapeSource(save(tmp_path / "a.parquet", table)).blocks()

    assert block.kind.tolist() == [UNKNOWN]
    assert block.ts_ns.tolist() == [0]
    assert block.exchange.tolist() == block.conditions.tolist() == [-1]
    assert np.isnan(block.bid).all()
    assert block.trade_id.tolist() == [0]


def test_plain_string_columns_are_read_too(tmp_path: Path) -> None:
    table = rows(1, 2)
    for name in ("kind", "symbol", "exchange", "conditions"):
        table = table.set_column(table.schema.get_field_index(name), name, table.column(name).cast("string"))

    (block,) = TapeSource(save(tmp_path / "a.parquet", table)).blocks()

    assert block.symbols == ("AAA",)
    assert block.kind.tolist() == [0, 0]
    assert block.exchange.tolist() == [-1, -1]


def without_version(table: Table) -> Table:
    return table.replace_schema_metadata({})


def of_version_3(table: Table) -> Table:
    return table.replace_schema_metadata({VERSION_KEY: b"3"})


def without_price(table: Table) -> Table:
    return table.drop_columns(["price"])


def with_whole_prices(table: Table) -> Table:
    return table.set_column(4, "price", pa.array([1] * len(table), pa.int64()))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without_version, "no metadata `raydesk.tape.version`; expected `1` or `2`"),
        (of_version_3, "`3` as `raydesk.tape.version`; expected `1` or `2`"),
        (without_price, "no column `price`; expected double"),
        (with_whole_prices, "column `price`: int64; expected double"),
    ],
)
def test_what_is_no_tape_is_refused(tmp_path: Path, spoil: Callable[[Table], Table], told: str) -> None:
    path = save(tmp_path / "a.parquet", spoil(rows(1, 2)))

    with pytest.raises(TapeError) as raised:
        TapeSource(path)

    assert str(path) in str(raised.value)
    assert told in str(raised.value)


def test_a_row_without_symbol_is_named(tmp_path: Path) -> None:
    table = pa.concat_tables([rows(1, 2, 3), rows(4, symbol=None)])
    path = save(tmp_path / "a.parquet", table, rows_per_group=2)

    with pytest.raises(TapeError, match=r"a\.parquet: row 3: `symbol` is null"):
        TapeSource(path)


def test_a_row_out_of_order_is_named_across_row_groups(tmp_path: Path) -> None:
    path = save(tmp_path / "a.parquet", rows(1, 5, 4, 6), rows_per_group=2)

    with pytest.raises(TapeError, match=r"a\.parquet: row 2: `recv_ns` goes back from 5 to 4"):
        TapeSource(path)


def test_files_out_of_order_are_named(tmp_path: Path) -> None:
    save(tmp_path / "a.parquet", rows(10))
    save(tmp_path / "b.parquet", rows(9))

    with pytest.raises(TapeError, match=r"b\.parquet: row 0: `recv_ns` goes back from 10 to 9"):
        TapeSource(tmp_path)


def test_paths_without_a_tape_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no Parquet, and longer than the format's magic number")
    (tmp_path / "empty").mkdir()
    save(tmp_path / "rowless.parquet", rows())

    for path, told in (
        ("missing.parquet", "does not exist"),
        ("*.none", "no file matches"),
        ("empty", "without a Parquet file"),
        ("text.parquet", "cannot be read"),
        ("rowless.parquet", "no rows"),
    ):
        with pytest.raises(TapeError) as raised:
            TapeSource(tmp_path / path)
        assert path in str(raised.value)
        assert told in str(raised.value)


def test_damage_in_the_middle_is_reported(tmp_path: Path) -> None:
    path = save(tmp_path / "a.parquet", rows(*range(5_000)), rows_per_group=5_000)
    source = TapeSource(path)
    with path.open("r+b") as file:
        file.seek(4)
        file.write(os.urandom(2_000))

    with pytest.raises(TapeError, match=r"a\.parquet: damaged"):
        list(source.blocks())


def test_a_tape_has_all_its_rows(any_morning: Path) -> None:
    source = TapeSource(any_morning)

    table = pq.read_table(any_morning)
    assert source.rows == sum(map(len, source.blocks())) == len(table)
    assert source.symbols == tuple(sorted(table["symbol"].unique().to_pylist()))


def test_a_recorded_day_has_all_its_rows(shared_data: Path) -> None:
    source = TapeSource(shared_data / "us-2013-10-07.parquet")

    assert source.rows == 1_221_347
    assert source.symbols == ("AIG", "BAC", "IBM", "SPY")
    first = next(iter(source.blocks()))
    assert first.symbols[first.symbol[0]] == "IBM"
    assert (first.bid[0], first.ask[0], first.ask_size[0]) == (0.0, 183.63, 100.0)
    assert np.isnan(first.price[0])
