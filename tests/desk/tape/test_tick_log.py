"""The log of received ticks: whatever death its writer dies, each whole chunk is read once, in order."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.errors import TapeError
from desk.model.tick_chunk import TickChunk, encode_chunk
from desk.model.ticks import Cancel, Correction, Quote, Tick, Trade
from desk.tape.reader import TapeSource
from desk.tape.recorded_ticks import recorded_rows, write_recorded_tape
from desk.tape.tick_log import TickLogWriter, log_paths, read_chunks

START_NS = 1_381_152_600_000_000_000


def ticks_of(number: int) -> list[Tick]:
    at_ns = START_NS + number * 1_000_000_000
    return [
        Trade(number * 10, "A", at_ns - 5, at_ns, 10.0 + number, 100.0, "F", "Q", 2**63 + number, "C"),
        Quote(number * 10 + 1, "B", at_ns - 4, at_ns, 9.0, 1.0, 9.5, 2.0, "P", "R"),
        Correction(number * 10 + 2, "A", at_ns, at_ns + 1, 7, 10.5, 50.0, "@", "Q", 8, "C", 10.0, 100.0, "F"),
        Cancel(number * 10 + 3, "A", at_ns, at_ns + 1, 8, "Q", "C", 10.5, 50.0),
    ]


def chunk(epoch: int, number: int) -> bytes:
    return encode_chunk(chunk_of(epoch, number, 10 * epoch + number))


def chunk_of(epoch: int, number: int, second: int) -> TickChunk:
    ticks = ticks_of(second)
    return TickChunk(epoch, number, ticks, [(1, ticks[0].received_ns), (3, ticks[3].received_ns)])


def written(folder: Path, *chunks: bytes) -> None:
    writer = TickLogWriter(folder)
    for each in chunks:
        writer.append(each)
    writer.close()


def test_a_chunk_that_a_successor_repeats_counts_once_and_an_earlier_producers_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    written(folder, chunk(1, 1), chunk(1, 2))
    written(folder, chunk(1, 2), chunk(2, 1), chunk(1, 3), chunk(2, 2))

    read = [chunk.ticks for chunk in read_chunks(log_paths(folder))]

    assert read == [ticks_of(number) for number in (11, 12, 21, 22)]


@given(cut=st.integers(0, 400))
def test_a_record_that_was_not_written_completely_is_the_end_of_its_file(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log") / "tape"
    written(folder, chunk(1, 1), chunk(1, 2))
    path = log_paths(folder)[0]
    content = path.read_bytes()
    kept = len(content) - cut
    path.write_bytes(content[: max(kept, 0)])
    written(folder, chunk(1, 3))

    read = [chunk.ticks[0].ordinal for chunk in read_chunks(log_paths(folder))]

    first = len(content) // 2
    whole = 2 if cut == 0 else 1 if kept >= first else 0
    assert read == [*[110, 120][:whole], 130]


def test_the_tape_has_every_tick_in_files_in_order_and_the_log_is_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    written(folder, *(chunk(1, number) for number in range(1, 8)))

    rows = write_recorded_tape(folder, rows_per_file=10)

    assert rows == 28
    names = [f"000001-{number:06d}.parquet" for number in (1, 2, 3)]
    assert sorted(path.name for path in folder.iterdir()) == names
    source = TapeSource(folder)
    assert source.rows == 28
    table = pq.read_table(folder)
    assert table.column("trade_id").to_pylist()[0] == 2**63 + 11
    assert table.column("kind").to_pylist()[:4] == ["trade", "quote", "correction", "cancel"]
    assert write_recorded_tape(folder) == 0


def test_the_tape_of_a_resumed_run_has_both_parts(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    written(folder, chunk(1, 1), chunk(1, 2))
    write_recorded_tape(folder)
    written(folder, encode_chunk(chunk_of(2, 1, 1)))

    rows = write_recorded_tape(folder)

    assert rows == 4
    assert recorded_rows(folder) == TapeSource(folder).rows == 12
    assert pq.read_table(folder).column("recv_ns").to_pylist() == sorted(
        pq.read_table(folder).column("recv_ns").to_pylist()
    )


def test_an_interrupted_tape_begins_anew(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    written(folder, chunk(1, 1), chunk(1, 2))
    (folder / "000001-000001.parquet").write_text("the beginning of a file")

    write_recorded_tape(folder)

    assert TapeSource(folder).rows == 8


def test_a_clock_that_is_set_back_between_files_does_not_break_the_tape(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    written(folder, chunk(1, 5), encode_chunk(chunk_of(1, 6, 1)), chunk(1, 7))

    write_recorded_tape(folder, rows_per_file=1)

    assert TapeSource(folder).rows == 12


def test_a_log_of_something_else_is_an_error_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    written(folder, b"\xc1 no chunk")

    with pytest.raises(TapeError, match="log of its ticks"):
        write_recorded_tape(folder)

    assert log_paths(folder)
