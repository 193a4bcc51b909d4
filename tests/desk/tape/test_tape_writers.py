"""Tapes written by other programs, in all forms that Parquet allows."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.errors import TapeError
from desk.tape.info import tape_info
from desk.tape.reader import TapeSource
from desk.tape.schema import REQUIRED, VERSION_KEY

START_NS = 1_709_649_000 * 10**9
ROWS = 40
TEXTS = ("kind", "symbol", "exchange", "conditions")
WIDTHS = [
    pa.string(), pa.large_string(), pa.string_view(),
    *(
        pa.dictionary(index, words)
        for index in (pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64())
        for words in (pa.string(), pa.large_string())
    ),
]  # fmt: skip
Table = Any


def table() -> Table:
    values: dict[str, list[Any]] = {name: [None] * ROWS for name in REQUIRED.names}
    values["recv_ns"] = [START_NS + number * 10**9 for number in range(ROWS)]
    values["ts_ns"] = [None if number % 7 == 0 else at for number, at in enumerate(values["recv_ns"])]
    values["kind"] = ["trade"] * ROWS
    values["symbol"] = ["AAA" if number % 2 else "B" for number in range(ROWS)]
    values["price"] = [100.0 + number for number in range(ROWS)]
    values["size"] = [100.0] * ROWS
    values["exchange"] = [None if number % 3 == 0 else "X" for number in range(ROWS)]
    return pa.table(values, REQUIRED)


def replaced(name: str, column: Any) -> Table:
    return table().set_column(REQUIRED.get_field_index(name), name, column)


def save(path: Path, rows: Table, *, beside: bool = False, **options: Any) -> Path:
    """The rows as a tape; its version in the Arrow schema, or only beside it in the file's own metadata."""
    if beside:
        with pq.ParquetWriter(path, rows.schema, **options) as writer:
            writer.write_table(rows)
            writer.add_key_value_metadata({VERSION_KEY.decode(): "1"})
    else:
        pq.write_table(rows.replace_schema_metadata({VERSION_KEY: b"1"}), path, **options)
    return path


def content(path: Path) -> list[tuple[Any, ...]]:
    def word(table: tuple[str, ...], index: int) -> str | None:
        return table[index] if index >= 0 else None

    return [
        (recv, ts, kind, block.symbols[symbol], price, size, word(block.exchanges, exchange))
        for block in TapeSource(path).blocks()
        for recv, ts, kind, symbol, price, size, exchange in zip(
            block.recv_ns.tolist(), block.ts_ns.tolist(), block.kind.tolist(), block.symbol.tolist(),
            block.price.tolist(), block.size.tolist(), block.exchange.tolist(), strict=True,
        )
    ]  # fmt: skip


@pytest.fixture
def expected(tmp_path: Path) -> list[tuple[Any, ...]]:
    return content(save(tmp_path / "own.parquet", table()))


def in_width(kind: Any) -> Table:
    rows = table()
    for name in TEXTS:
        column = rows.column(name).combine_chunks()
        if pa.types.is_dictionary(kind):
            words = column.dictionary.cast(kind.value_type)
            column = pa.DictionaryArray.from_arrays(column.indices.cast(kind.index_type), words)
        else:
            column = column.cast(pa.string()).cast(kind)
        rows = rows.set_column(REQUIRED.get_field_index(name), name, column)
    return rows


@pytest.mark.parametrize("kind", WIDTHS, ids=str)
@pytest.mark.parametrize("beside", [False, True])
def test_text_of_any_width_is_read(tmp_path: Path, expected: object, kind: Any, beside: bool) -> None:
    assert content(save(tmp_path / "a.parquet", in_width(kind), beside=beside)) == expected


def test_a_file_without_an_arrow_schema_is_read(tmp_path: Path, expected: object) -> None:
    assert content(save(tmp_path / "a.parquet", in_width(pa.string()), beside=True, store_schema=False)) == expected


@pytest.mark.parametrize("compression", ["snappy", "gzip", "zstd", "lz4", "brotli", None])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_any_compression_is_read(tmp_path: Path, expected: object, compression: str | None, version: str) -> None:
    path = save(tmp_path / "a.parquet", table(), compression=compression, data_page_version=version)

    assert content(path) == expected


@given(cuts=st.lists(st.integers(0, ROWS), max_size=6).map(sorted))
def test_row_groups_of_any_size_are_read(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    path = tmp_path_factory.getbasetemp() / "groups.parquet"
    rows = table().replace_schema_metadata({VERSION_KEY: b"1"})
    with pq.ParquetWriter(path, rows.schema) as writer:
        for first, last in zip([0, *cuts], [*cuts, ROWS], strict=True):
            writer.write_table(rows.slice(first, last - first))

    assert [row[0] for row in content(path)] == table().column("recv_ns").to_pylist()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_a_timestamp_says_its_unit_itself(tmp_path: Path, expected: object, unit: str, zone: str | None) -> None:
    rows = table()
    for name in ("recv_ns", "ts_ns"):
        times = rows.column(name).cast(pa.timestamp("ns")).cast(pa.timestamp(unit, zone))
        rows = rows.set_column(REQUIRED.get_field_index(name), name, times)

    assert content(save(tmp_path / "a.parquet", rows)) == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("size", pa.int64()), ("size", pa.uint16()), ("size", pa.float32()), ("price", pa.float32()),
        ("price", pa.decimal128(9, 2)), ("recv_ns", pa.uint64()), ("conditions", pa.null()), ("bid", pa.null()),
    ],
)  # fmt: skip
def test_numbers_of_other_widths_are_read(tmp_path: Path, expected: object, name: str, kind: Any) -> None:
    column = table().column(name)
    rows = replaced(name, pa.nulls(ROWS) if kind == pa.null() else column.cast(kind))

    assert content(save(tmp_path / "a.parquet", rows)) == expected


def test_columns_that_are_required_are_read(tmp_path: Path, expected: object) -> None:
    fields = [field.with_nullable(field.name not in {"recv_ns", "symbol", "price"}) for field in REQUIRED]

    assert content(save(tmp_path / "a.parquet", table().cast(pa.schema(fields)))) == expected


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("recv_ns", pa.float64(), "column `recv_ns`: double; expected int64 (ns since the epoch, UTC) or a timestamp"),
        ("price", pa.int64(), "column `price`: int64; expected double: whole numbers may be cents or ticks"),
        ("symbol", pa.binary(), "column `symbol`: binary; expected text"),
        ("symbol", pa.null(), "row 0: `symbol` is null"),
    ],
)
def test_what_could_be_misread_is_refused_with_the_column(tmp_path: Path, name: str, kind: Any, told: str) -> None:
    column = table().column(name)
    if name == "symbol":
        column = column.cast(pa.string())
    other = pa.nulls(ROWS) if kind == pa.null() else column.cast(kind, safe=False)

    with pytest.raises(TapeError) as raised:
        TapeSource(save(tmp_path / "a.parquet", replaced(name, other)))

    assert told in str(raised.value)


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    rows = table().append_column("price", table().column("price"))

    with pytest.raises(TapeError, match="2 columns `price`; expected one"):
        TapeSource(save(tmp_path / "a.parquet", rows))


@pytest.mark.parametrize("beside", [False, True])
def test_the_figures_of_a_tape_name_its_version_wherever_its_metadata_are(tmp_path: Path, beside: bool) -> None:
    info = tape_info(save(tmp_path / "day.parquet", table(), beside=beside))

    assert (info.version, info.rows) == ("1", ROWS)
