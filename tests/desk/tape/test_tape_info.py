from pathlib import Path

from desk.model.ticks import Quote, Trade
from desk.model.units import MS_NS, SECOND_NS
from desk.tape.info import tape_info
from desk.tape.writer import TapeWriter


def test_a_tape_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"
    times = [10 * SECOND_NS, 11 * SECOND_NS, 11 * SECOND_NS + 5, 13 * SECOND_NS]
    with TapeWriter(path) as tape:
        tape.write_ticks([Quote(0, "BBB", times[0] - MS_NS, times[0], 1.0, 1.0, 2.0, 1.0)])
        tape.write_ticks([Trade(1, "AAA", at - 3 * MS_NS, at, 1.0, 1.0) for at in times[1:]])

    info = tape_info(path)

    assert (info.version, info.files, info.bytes) == ("2", 1, path.stat().st_size)
    assert (info.rows, info.trades, info.quotes, info.other) == (4, 3, 1, 0)
    assert info.symbols == {"AAA": 3, "BBB": 1}
    assert (info.start_ns, info.end_ns) == (times[0], times[-1])
    assert (info.peak_ns, info.peak_events) == (11 * SECOND_NS, 2)
    assert (info.median_lag_ms, info.max_lag_ms) == (3.0, 3.0)


def test_a_recorded_day_is_counted(shared_data: Path) -> None:
    info = tape_info(shared_data / "us-2013-10-07.parquet")

    assert (info.rows, info.trades, info.quotes, info.other) == (1_221_347, 388_417, 832_930, 0)
    assert info.symbols == {"AIG": 565_319, "BAC": 326_600, "SPY": 250_601, "IBM": 78_827}
    assert info.peak_events == 1_255
