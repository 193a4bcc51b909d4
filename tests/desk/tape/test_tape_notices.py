"""Notices on tapes: written, read back, replayed in order, and rejected if malformed."""

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from market_rows import FakeClock

from desk.feeds.frames import frames_of
from desk.feeds.replay import BlockFeed
from desk.model.errors import TapeError
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.ticks import Event, Quote, Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.tape.info import tape_info
from desk.tape.reader import TapeSource
from desk.tape.schema import REQUIRED, VERSION_KEY
from desk.tape.writer import TapeWriter

T0 = 1_600_000_020 * SECOND_NS
EVENTS: list[Event] = [
    Trade(0, "AAA", T0, T0, 10.0, 100.0, "@", "Q", 7, "C"),
    TradingStatus(1, "AAA", T0 + 1, T0 + 2, "H", "Trading Halt", "T1", "Halt News Pending", "C"),
    PriceBands(2, "BBB", T0 + 3, T0 + 4, 9.0, 11.0, "B", "A"),
    Quote(3, "AAA", T0 + 5, T0 + 6, 9.5, 100.0, 10.5, 200.0, "Q", "R"),
    VenueBar(4, "AAA", T0, T0 + MINUTE_NS, 10.0, 11.0, 9.0, 10.5, 300.0, 4, 10.25),
    VenueBar(5, "AAA", T0, T0 + MINUTE_NS + 1, 10.0, 11.0, 9.0, 10.5, 350.0, 5, 10.2, updated=True),
]


def replayed(path: Path) -> tuple[list[Event], BlockFeed]:
    """The events of a tape, with the received times of `EVENTS`."""
    feed = BlockFeed(TapeSource(path), FakeClock())
    feed.subscribe(["*"])
    events = [tick for frame in frames_of(feed, feed._clock) for tick in frame.ticks]
    received = {event.ordinal: event.received_ns for event in EVENTS}
    return [msgspec.structs.replace(event, received_ns=received[event.ordinal]) for event in events], feed


def test_notices_are_replayed_as_they_were_recorded_in_order_with_the_ticks(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "day.parquet") as tape:
        tape.write_ticks(EVENTS[:2])
        tape.write_ticks(EVENTS[2:])

    events, feed = replayed(tmp_path / "day.parquet")

    assert events == EVENTS
    assert feed.counts.received == {"trades": 1, "quotes": 1, "notices": 4}
    assert pq.read_table(tmp_path / "day.parquet").column("kind").to_pylist() == [
        *("trade", "status", "luld", "quote", "bar", "bar"),
    ]


def test_blocks_with_notices_survive_a_copy(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "first.parquet") as tape:
        tape.write_ticks(EVENTS)

    with TapeWriter(tmp_path / "second.parquet") as copy:
        for block in TapeSource(tmp_path / "first.parquet").blocks():
            copy.write(block.part(0, 2))
            copy.write(block.part(2, len(block)))

    assert replayed(tmp_path / "second.parquet")[0] == EVENTS


def test_notices_do_not_count_for_the_lag_of_a_frame(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "day.parquet") as tape:
        tape.write_ticks(EVENTS)
    feed = BlockFeed(TapeSource(tmp_path / "day.parquet"), FakeClock())
    feed.subscribe(["*"])

    frames = [frame for frame in frames_of(feed, feed._clock) if frame.ticks]

    assert [frame.lag_ns for frame in frames] == [0, None]


def test_notices_of_symbols_that_are_not_subscribed_are_skipped(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "day.parquet") as tape:
        tape.write_ticks(EVENTS)
    feed = BlockFeed(TapeSource(tmp_path / "day.parquet"), FakeClock(), channels=frozenset({"quotes"}))
    feed.subscribe(["AAA"])

    list(frames_of(feed, feed._clock))

    assert feed.counts.received == {"trades": 0, "quotes": 1, "notices": 3}
    assert feed.counts.skipped == {"trades": 1, "quotes": 0, "notices": 1}


def test_the_info_of_a_tape_counts_them_by_kind(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "day.parquet") as tape:
        tape.write_ticks(EVENTS)

    info = tape_info(tmp_path / "day.parquet")

    assert (info.statuses, info.bands, info.bars, info.other) == (1, 1, 2, 0)


def a_table(path: Path, **columns: Any) -> Path:
    """One row of another writer."""
    values: dict[str, Any] = {name: pa.nulls(1) for name in REQUIRED.names}
    values |= {"recv_ns": [T0], "ts_ns": [T0], "symbol": ["AAA"]} | columns
    table = pa.table({name: pa.array(column) for name, column in values.items()})
    pq.write_table(table.replace_schema_metadata({VERSION_KEY: b"2"}), path)
    return path


def prices(price: float) -> dict[str, list[float]]:
    return {name: [price] for name in ("open", "high", "low", "close")}


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        ({"kind": ["status"]}, "code"),
        ({"kind": ["status"], "code": [""]}, "code"),
        ({"kind": ["luld"], "limit_down": [9.0]}, "price"),
        ({"kind": ["luld"], "limit_down": [9.0], "limit_up": [8.0]}, "price"),
        ({"kind": ["bar"], "open": [9.0]}, "price"),
        ({"kind": ["bar"], "volume": [1.0], **prices(0.0)}, "price"),
        ({"kind": ["bar"], "volume": [-1], **prices(9.0)}, "size"),
        ({"kind": ["status"], "code": ["H"], "ts_ns": [0]}, "time"),
    ],
)
def test_malformed_notices_are_rejected_under_their_cause(tmp_path: Path, columns: Any, cause: str) -> None:
    feed = BlockFeed(TapeSource(a_table(tmp_path / "day.parquet", **columns)), FakeClock())
    feed.subscribe(["*"])

    assert not any(frame.ticks for frame in frames_of(feed, feed._clock))

    assert feed.counts.received["notices"] == 1
    assert feed.counts.rejected["notices"] == {cause: 1}


def test_columns_of_notices_matter_only_where_there_are_notices(tmp_path: Path) -> None:
    other = a_table(tmp_path / "other.parquet", kind=["trade"], price=[1.0], size=[1.0], code=[17], trades=["many"])

    assert TapeSource(other).rows == 1
    with pytest.raises(TapeError, match=r"column `code`: int64; expected text"):
        TapeSource(a_table(tmp_path / "day.parquet", kind=["status"], code=[17]))
