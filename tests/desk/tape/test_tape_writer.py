from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from desk.feeds.frames import frames_of
from desk.feeds.replay import BlockFeed
from desk.model.errors import TapeError
from desk.model.ticks import Cancel, Correction, Quote, Tick, Trade
from desk.tape.reader import TapeSource
from desk.tape.schema import REQUIRED, VERSION_KEY
from desk.tape.writer import TapeWriter

TICKS: list[Tick] = [
    Trade(0, "AAA", 95, 100, 10.5, 20.0, "@", "Q", 77, "C"),
    Quote(1, "BBB", 99, 100, 0.0, 0.0, 11.0, 300.0, "P", "R"),
    Trade(2, "BBB", 90, 110, 11.0, 0.5),
]


def read(path: Path) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for block in TapeSource(path).blocks():
        for row in range(len(block)):
            numbers = [getattr(block, name)[row] for name in ("price", "size", "bid", "bid_size", "ask", "ask_size")]
            rows.append(
                (
                    block.first_ordinal + row,
                    int(block.recv_ns[row]),
                    int(block.ts_ns[row]),
                    int(block.kind[row]),
                    block.symbols[block.symbol[row]],
                    *(None if number != number else float(number) for number in numbers),  # noqa: PLR0124 - NaN
                    block.exchanges[block.exchange[row]],
                    block.condition_codes[block.conditions[row]],
                    int(block.trade_id[row]),
                )
            )
    return rows


def test_ticks_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "day.parquet"

    with TapeWriter(path) as tape:
        tape.write_ticks(TICKS[:2])
        tape.write_ticks(TICKS[2:])
        tape.write_ticks([])

    assert read(path) == [
        (0, 100, 95, 0, "AAA", 10.5, 20.0, None, None, None, None, "Q", "@", 77),
        (1, 100, 99, 1, "BBB", None, None, 0.0, 0.0, 11.0, 300.0, "P", "R", 0),
        (2, 110, 90, 0, "BBB", 11.0, 0.5, None, None, None, None, "", "", 0),
    ]
    assert pq.read_table(path).column("tape").to_pylist() == ["C", None, ""]


def test_blocks_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "first.parquet") as tape:
        tape.write_ticks(TICKS)

    with TapeWriter(tmp_path / "second.parquet") as copy:
        for block in TapeSource(tmp_path / "first.parquet").blocks():
            copy.write(block)

    assert copy.rows == 3
    assert read(tmp_path / "second.parquet") == read(tmp_path / "first.parquet")


def test_the_rows_of_a_tape_survive_a_copy(tmp_path: Path, any_morning: Path) -> None:
    source = TapeSource(any_morning)

    with TapeWriter(tmp_path / "copy.parquet") as tape:
        for block in source.blocks():
            tape.write(block)

    columns = pq.read_table(source.files[0].path).column_names
    copied = pq.read_table(tmp_path / "copy.parquet", columns=columns)
    original = pq.read_table(source.files[0].path)
    for name in columns:
        kind = "string" if name in {"kind", "symbol", "exchange", "conditions"} else original.schema.field(name).type
        assert copied.column(name).cast(kind).equals(original.column(name).cast(kind)), name


def test_a_tape_has_no_name_until_it_is_closed(tmp_path: Path) -> None:
    tape = TapeWriter(tmp_path / "day.parquet")
    tape.write_ticks(TICKS)

    assert not (tmp_path / "day.parquet").exists()
    tape.close()
    tape.close()
    assert [file.name for file in tmp_path.iterdir()] == ["day.parquet"]


def record_until_the_power_fails(path: Path) -> None:
    with TapeWriter(path) as tape:
        tape.write_ticks(TICKS)
        raise RuntimeError("power cut")


def test_a_failed_recording_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="power cut"):
        record_until_the_power_fails(tmp_path / "day.parquet")

    assert list(tmp_path.iterdir()) == []


def test_blocks_that_go_back_in_time_are_refused(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "first.parquet") as tape:
        tape.write_ticks(TICKS)
    (block,) = TapeSource(tmp_path / "first.parquet").blocks()

    with TapeWriter(tmp_path / "second.parquet") as tape:
        tape.write(block)
        with pytest.raises(TapeError, match="`recv_ns` goes back after row 3"):
            tape.write(block)


def test_a_clock_set_back_does_not_take_the_tape_back(tmp_path: Path) -> None:
    late = Trade(3, "AAA", 100, 50, 10.0, 1.0)

    with TapeWriter(tmp_path / "day.parquet") as tape:
        tape.write_ticks([*TICKS, late])
        tape.write_ticks([late])

    assert [row[1] for row in read(tmp_path / "day.parquet")] == [100, 100, 110, 110, 110]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TapeError, match=r"file.day\.parquet: cannot be written"):
        TapeWriter(tmp_path / "file" / "day.parquet")


REVISED: list[Tick] = [
    Trade(0, "AAA", 95, 100, 10.5, 20.0, "@", "Q", 2**64 - 1, "C"),
    Correction(1, "AAA", 96, 100, 2**64 - 1, 10.25, 2.0, "I", "Q", 2**63 + 5, "C", 10.5, 20.0, "@"),
    Quote(2, "AAA", 97, 100, 9.0, 1.0, 11.0, 1.0, "Q", "R"),
    Cancel(3, "AAA", 98, 100, 2**63 + 5, "Q", "C", 10.25, 2.0),
    Correction(4, "BBB", 99, 100, 7, 1.0, 1.0),
]


def ticks_of(path: Path) -> list[Tick]:
    class Still:
        def wall_ns(self) -> int:
            return 100

        def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
            assert not until_ns, "a lossless feed does not wait"

    feed = BlockFeed(TapeSource(path), Still())
    feed.subscribe(["AAA", "BBB"])
    assert feed.counts.rejected == {"trades": {}, "quotes": {}, "notices": {}}
    return [tick for frame in frames_of(feed, feed._clock) for tick in frame.ticks]


def test_corrections_cancels_and_ids_of_64_bits_are_played_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"

    with TapeWriter(path) as tape:
        tape.write_ticks(REVISED)
    with TapeWriter(tmp_path / "copy.parquet") as copy:
        for block in TapeSource(path).blocks():
            copy.write(block)

    assert ticks_of(path) == REVISED
    assert ticks_of(tmp_path / "copy.parquet") == REVISED


def test_a_tape_of_version_1_is_read_with_its_ids(tmp_path: Path) -> None:
    path, old = tmp_path / "day.parquet", tmp_path / "old.parquet"
    with TapeWriter(path) as tape:
        tape.write_ticks(TICKS)
    table = pq.read_table(path).select([*REQUIRED.names, "trade_id"])
    table = table.set_column(table.num_columns - 1, "trade_id", table.column("trade_id").cast(pa.int64()))
    pq.write_table(table.replace_schema_metadata({VERSION_KEY: b"1"}), old)

    assert [getattr(tick, "trade_id", 0) for tick in ticks_of(old)] == [77, 0, 0]


def test_a_cancel_may_name_its_trade_by_trade_id(tmp_path: Path) -> None:
    path, other = tmp_path / "day.parquet", tmp_path / "other.parquet"
    with TapeWriter(path) as tape:
        tape.write_ticks([Cancel(0, "AAA", 98, 100, 5, "Q")])
    table = pq.read_table(path)
    renamed = table.drop_columns(["trade_id"]).rename_columns({"original_id": "trade_id"})
    pq.write_table(renamed.replace_schema_metadata(table.schema.metadata), other)

    (tick,) = ticks_of(other)

    assert isinstance(tick, Cancel)
    assert tick.original_id == 5
