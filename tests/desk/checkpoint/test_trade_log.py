"""The log has exactly the remembered trades that the last checkpoint needs; older trades are deleted."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from desk.checkpoint import KeeperStore
from desk.checkpoint.shard_files import ShardFiles
from desk.files.sealing import Seal
from desk.model.checkpoint import Checkpoint, LoggedTrades, pack_logged_trades, unpack_logged_trades
from desk.model.errors import RunFailed

Trades = dict[str, tuple[int, bytes]]


def checkpoint(number: int, trades: Trades, from_ns: int = 0, epoch: int = 1) -> Checkpoint:
    logged = {symbol: LoggedTrades(*of_one) for symbol, of_one in trades.items()}
    return Checkpoint(
        0, epoch, number, number, number, b"", b"state", trades=pack_logged_trades(logged), trades_from_ns=from_ns
    )


def trades_of(store: KeeperStore) -> Trades:
    latest = store.latest(0)
    assert latest is not None
    return {symbol: (logged.count, logged.entries) for symbol, logged in unpack_logged_trades(latest.trades).items()}


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.trades-*"))


def test_the_last_checkpoint_comes_with_the_trades_of_all_before_it(tmp_path: Path) -> None:
    store = KeeperStore(tmp_path)
    store.save(checkpoint(1, {"A": (2, b"aa"), "B": (1, b"b")}))
    store.save(checkpoint(2, {}))
    store.save(checkpoint(3, {"A": (1, b"c")}))
    store.close()

    assert trades_of(KeeperStore(tmp_path)) == {"A": (3, b"aac"), "B": (1, b"b")}


def test_a_repeated_checkpoint_adds_nothing(tmp_path: Path) -> None:
    store = KeeperStore(tmp_path)

    for _ in range(2):
        assert store.save(checkpoint(1, {"A": (1, b"a")}))

    assert trades_of(store) == {"A": (1, b"a")}
    store.close()


def test_what_a_killed_keeper_left_after_the_last_state_does_not_count(tmp_path: Path) -> None:
    files = ShardFiles(tmp_path, 0)
    state = files.write(checkpoint(1, {"A": (1, b"a")}), 0)
    files.trades.append(checkpoint(2, {"A": (1, b"lost")}), state.segments)
    files.close()
    store = KeeperStore(tmp_path)

    before = trades_of(store)
    store.save(checkpoint(2, {"A": (1, b"b")}))

    assert before == {"A": (1, b"a")}
    assert trades_of(store) == {"A": (2, b"ab")}
    store.close()


def test_segments_that_no_memory_reaches_back_to_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desk.checkpoint.trade_log.SEGMENT_BYTES", 40)
    store = KeeperStore(tmp_path)

    for number in range(1, 30):
        store.save(checkpoint(number, {"A": (1, b"%02d" % number)}, from_ns=number - 5))

    count, entries = trades_of(store)["A"]
    assert entries.endswith(b"242526272829")
    assert 6 <= count <= 9
    assert len(segments(tmp_path)) <= 4
    store.close()


@examples(60)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 3)), max_size=40),
    st.sampled_from([1, 30, 1 << 20]),
)
def test_what_is_still_needed_is_always_there_whenever_the_keeper_is_replaced(
    steps: list[tuple[bool, int, int]], segment_bytes: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("desk.checkpoint.trade_log.SEGMENT_BYTES", segment_bytes)
        store, given, from_ns = KeeperStore(Path(folder)), [], 0
        for number, (replaced, back, count) in enumerate(steps, 1):
            from_ns = max(from_ns, number - back)
            entries = bytes([number]) * count
            given.append((number, entries))
            store.save(checkpoint(number, {"A": (count, entries)} if count else {}, from_ns))
            if replaced:
                store.close()
                store = KeeperStore(Path(folder))
            found = trades_of(store).get("A", (0, b""))
            needed = b"".join(entries for mark, entries in given if mark >= from_ns)
            everything = b"".join(entries for _, entries in given)
            assert found[1].endswith(needed)
            assert everything.endswith(found[1])
            assert found[0] == len(found[1])
        store.close()


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    store = KeeperStore(tmp_path)
    store.save(checkpoint(1, {"A": (1, b"a")}))
    store.close()
    (name,) = segments(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[-1] ^= 1
    (tmp_path / name).write_bytes(content)

    with pytest.raises(RunFailed, match=r"trades-1: the record at byte 0 does not match its checksum"):
        KeeperStore(tmp_path).latest(0)


def test_a_segment_begun_after_all_were_deleted_is_a_file_of_its_own(tmp_path: Path) -> None:
    store = KeeperStore(tmp_path)
    store.save(checkpoint(1, {"A": (1, b"old")}))
    store.save(checkpoint(2, {}, from_ns=2))
    assert segments(tmp_path) == []

    store.save(checkpoint(3, {"A": (1, b"new")}, from_ns=2))
    store.close()

    assert trades_of(KeeperStore(tmp_path)) == {"A": (1, b"new")}


def test_trades_remembered_before_the_first_mark_are_as_young_as_the_session(tmp_path: Path) -> None:
    store = KeeperStore(tmp_path)
    before_any_mark = Checkpoint(
        0,
        1,
        1,
        0,
        1,
        b"",
        b"state",
        trades=pack_logged_trades({"A": LoggedTrades(1, b"a")}),
        trades_from_ns=50,
        trades_ns=100,
    )
    store.save(before_any_mark)
    store.save(checkpoint(2, {"A": (1, b"b")}, from_ns=60))
    store.close()

    assert trades_of(KeeperStore(tmp_path)) == {"A": (2, b"ab")}


def test_a_close_that_is_taken_back_brings_back_all_that_counted_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desk.checkpoint.trade_log.SEGMENT_BYTES", 40)
    store = KeeperStore(tmp_path / "keeper", Seal(b"key"))
    store.begin()
    for number in range(1, 10):
        store.save(checkpoint(number, {"A": (1, b"%02d" % number)}, from_ns=number - 5))
    before = store.latest(0)
    for number in (10, 11):
        final = checkpoint(number, {"A": (1, b"%02d" % number)}, from_ns=number)
        store.save(msgspec.structs.replace(final, final=True))
    store.save(msgspec.structs.replace(checkpoint(1, {}), shard=1, final=True))
    store.close()
    again = KeeperStore(tmp_path / "keeper", Seal(b"key"))

    taken_back = again.undo_close(), again.undo_close()

    assert taken_back == (True, False)
    again.verify()
    assert (again.latest(0), again.shards()) == (before, [0])
    assert again.save(checkpoint(10, {"A": (1, b"xx")}, epoch=2))
    assert trades_of(again)["A"][1].endswith(b"0809xx")
    again.close()
