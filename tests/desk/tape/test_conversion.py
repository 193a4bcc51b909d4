"""Tables with columns of any names become tapes; a wrong mapping or table is one clear error."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from desk.model.errors import DeskError, PlanError, TapeError
from desk.tape.conversion import ColumnMap, write_converted
from desk.tape.reader import TapeSource

START_MS = 1_381_152_600_000
TRADES = {
    "when": [START_MS + 20, START_MS, START_MS + 10],
    "ticker": ["BB", "AA", "AA"],
    "px": [20.5, 10.0, 10.5],
    "qty": [100, 200, 300],
    "cond": [["@", "F"], [], ["I"]],
}
MAPS = ["ts_ns=when:ms", "symbol=ticker", "price=px", "size=qty"]


def converted(folder: Path, table: dict[str, Any], maps: list[str], values: tuple[str, ...] = ()) -> Any:
    path, tape = folder / "table.parquet", folder / "tape.parquet"
    pq.write_table(pa.table(table), path)
    write_converted([path], ColumnMap.parsed(maps, values), tape, lambda _: None)
    assert TapeSource(tape).rows == len(table["when"])
    return pq.read_table(tape)


def test_rows_are_sorted_by_the_time_received_which_is_the_venue_time_where_there_is_none(tmp_path: Path) -> None:
    tape = converted(tmp_path, TRADES, [*MAPS, "conditions=cond"])

    assert tape.column("recv_ns").to_pylist() == [(START_MS + late) * 1_000_000 for late in (0, 10, 20)]
    assert tape.column("recv_ns").equals(tape.column("ts_ns"))
    assert tape.column("symbol").to_pylist() == ["AA", "AA", "BB"]
    assert tape.column("price").to_pylist() == [10.0, 10.5, 20.5]
    assert tape.column("conditions").to_pylist() == ["", "I", "@F"]
    assert set(tape.column("kind").to_pylist()) == {"trade"}
    assert tape.column("bid").null_count == 3


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        ([1_381_152_600, 1_381_152_601, 1_381_152_602], ":s"),
        ([1_381_152_600.0, 1_381_152_600.25, 1_381_152_601.5], ":s"),
        ([START_MS * 1_000, START_MS * 1_000 + 1, START_MS * 1_000 + 2], ":us"),
        (["2013-10-07T13:30:00Z", "2013-10-07T13:30:00.123456789Z", "2013-10-07T09:30:01-04:00"], ""),
        (pa.array([START_MS, START_MS + 1, START_MS + 2], pa.timestamp("ms", "UTC")), ""),
    ],
)
def test_times_in_any_unit_become_ns(times: Any, unit: str, tmp_path: Path) -> None:
    tape = converted(tmp_path, TRADES | {"when": times}, [f"ts_ns=when{unit}", *MAPS[1:]])

    read = tape.column("ts_ns").to_pylist()
    assert read[0] == START_MS * 1_000_000
    assert read == sorted(read)
    assert read[2] - read[0] <= 2_000_000_000


def test_a_column_of_the_same_name_needs_no_map(tmp_path: Path) -> None:
    table = {"when": TRADES["when"], "symbol": TRADES["ticker"], "price": TRADES["px"], "size": TRADES["qty"]}

    tape = converted(tmp_path, table, ["ts_ns=when:ms"])

    assert tape.column("price").to_pylist() == [10.0, 10.5, 20.5]
    assert set(tape.column("kind").to_pylist()) == {"trade"}


def test_quotes_and_values_for_all_rows(tmp_path: Path) -> None:
    quotes = {"when": [START_MS], "b": [9.0], "bs": [1], "a": [9.5], "as": [2], "got": [START_MS + 5]}
    maps = ["ts_ns=when:ms", "recv_ns=got:ms", "bid=b", "bid_size=bs", "ask=a", "ask_size=as"]

    tape = converted(tmp_path, quotes, maps, ("symbol=SPY", "exchange=P"))

    assert tape.select(["kind", "symbol", "exchange", "bid", "ask", "ask_size"]).to_pylist() == [
        {"kind": "quote", "symbol": "SPY", "exchange": "P", "bid": 9.0, "ask": 9.5, "ask_size": 2.0}
    ]
    assert tape.column("recv_ns")[0].as_py() - tape.column("ts_ns")[0].as_py() == 5_000_000


def test_files_of_csv_are_merged_into_one_tape(tmp_path: Path) -> None:
    paths = []
    for number in range(3):
        table = {name: values for name, values in TRADES.items() if name != "cond"}
        table |= {"when": [value + number for value in TRADES["when"]]}
        paths.append(tmp_path / f"part-{number}.csv")
        pcsv.write_csv(pa.table(table), paths[-1])
    done: list[float] = []

    rows = write_converted(paths, ColumnMap.parsed(MAPS, []), tmp_path / "tape.parquet", done.append)

    assert rows == TapeSource(tmp_path / "tape.parquet").rows == 9
    assert done == sorted(done)
    assert done[-1] == 1.0


@pytest.mark.parametrize(
    ("maps", "values", "words"),
    [
        (["ts_ns=when", *MAPS[1:]], (), "without a unit"),
        (["ts_ns=when:s", *MAPS[1:]], (), "1990 to 2099"),
        (["ts_ns=when:h", *MAPS[1:]], (), "a unit of time"),
        (["ts_ns=whn:ms", *MAPS[1:]], (), "when"),
        (["ts=when:ms", *MAPS[1:]], (), "ts_ns"),
        (MAPS[:1], (), "no symbol"),
        (MAPS[:2], (), "neither a price"),
        ([*MAPS, "bid=px"], (), "columns of trades and of quotes"),
        ([*MAPS, "kind=ticker"], (), "AA"),
        (MAPS, ("kind=print",), "trade, quote"),
        (MAPS, ("trade_id=first",), "uint64"),
        ([*MAPS[:2], "price=ticker", "size=qty"], (), "double"),
    ],
)
def test_a_wrong_mapping_is_one_clear_error(
    maps: list[str], values: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(DeskError) as error:
        converted(tmp_path, TRADES, maps, values)

    assert words in str(error.value)
    assert isinstance(error.value, PlanError | TapeError)
    assert not list(tmp_path.glob("tape*"))


def test_a_file_that_is_no_table_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_text("no table")

    with pytest.raises(TapeError, match="a Parquet or CSV file"):
        write_converted([path], ColumnMap.parsed(MAPS, []), tmp_path / "tape.parquet", lambda _: None)
