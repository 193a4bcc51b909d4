"""The keeper has one checkpoint per shard and exactly the bars of the checkpoints up to it."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from desk.checkpoint import KeeperStore
from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint, ProducerState, pack_bars, unpack_bars
from desk.model.errors import RunFailed
from desk.model.feed_position import FeedPosition
from desk.model.units import MINUTE_NS

Opened = Callable[[Path], KeeperStore]


def bar(symbol: str, minute: int, volume: float = 1.0) -> Bar:
    return Bar(
        symbol, minute * MINUTE_NS, 1.0, 2.0, 0.5, 1.5, volume, volume, 1, minute * MINUTE_NS, 1, minute * MINUTE_NS, 2
    )


def checkpoint(number: int, *bars: Bar, shard: int = 0, epoch: int = 1, session_ns: int | None = None) -> Checkpoint:
    mark = number if session_ns is None else session_ns
    state = f"state {epoch}/{number}".encode()
    return Checkpoint(shard, epoch, number, mark, number * 10, pack_bars(list(bars)), state)


def volumes(store: KeeperStore) -> dict[tuple[str, int], float]:
    found = [((each.symbol, each.minute_ns // MINUTE_NS), each.volume) for each in store.bars()]
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens stores that are closed when the test ends."""
    stores: list[KeeperStore] = []

    def open_(folder: Path) -> KeeperStore:
        stores.append(KeeperStore(folder))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@contextmanager
def files_up_to(limit_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_last_checkpoint_is_read_back_as_it_was_saved(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1)))
    last = checkpoint(2, bar("SPY", 2), bar("BAC", 2))

    assert store.save(last)

    assert store.latest(0) == opened(tmp_path).latest(0) == last


def test_a_checkpoint_without_bars_keeps_those_before(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1)))

    store.save(checkpoint(2))

    assert store.latest(0) == checkpoint(2)
    assert volumes(store) == {("SPY", 1): 1.0}


def test_an_empty_folder_holds_nothing(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path / "keeper")

    assert store.latest(0) is None
    assert store.shards() == []
    assert list(store.bars()) == []


def test_the_later_version_of_a_minute_is_final(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1, 10.0), bar("BAC", 1, 20.0)))
    store.save(checkpoint(2, bar("SPY", 1, 11.0), bar("SPY", 1, 12.0)))

    found = volumes(store)

    assert found == {("SPY", 1): 12.0, ("BAC", 1): 20.0}


def test_the_shard_with_the_later_mark_has_the_final_version(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1, 12.0), shard=0, session_ns=70))
    store.save(checkpoint(9, bar("SPY", 1, 11.0), shard=10, session_ns=60))

    found = volumes(store)

    assert found == {("SPY", 1): 12.0}
    assert store.shards() == [0, 10]


def test_of_one_mark_the_bar_of_the_shard_that_has_done_the_later_move_is_final(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    adopter = checkpoint(1, bar("SPY", 1, 12.0), shard=1, epoch=2, session_ns=60)
    store.save(msgspec.structs.replace(adopter, last_move=7))
    store.save(checkpoint(5, bar("SPY", 1, 11.0), shard=0, epoch=9, session_ns=60))

    assert volumes(store) == {("SPY", 1): 12.0}


def test_bars_of_some_symbols_come_from_every_shard_they_lived_in(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1, 10.0), bar("BAC", 1, 20.0), shard=0, session_ns=60))
    store.save(checkpoint(1, bar("IBM", 1, 30.0), shard=1, session_ns=60))
    store.save(checkpoint(2, bar("SPY", 1, 11.0), bar("SPY", 2, 12.0), shard=1, session_ns=120))
    store.save(checkpoint(2, bar("BAC", 2, 21.0), shard=0, session_ns=120))

    found = {(each.symbol, each.minute_ns // MINUTE_NS): each.volume for each in store.bars(["SPY", "XYZ"])}

    assert found == {("SPY", 1): 11.0, ("SPY", 2): 12.0}
    assert list(store.bars([])) == []


def producer_state(epoch: int, mark_ns: int) -> ProducerState:
    return ProducerState(
        epoch,
        FeedPosition(mark_ns, {"trades": mark_ns}, examples=["row 7"]),
        None,
        b"subscriptions",
        b"table",
        3,
    )


def test_the_last_producer_state_is_read_back_as_it_was_saved(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    before = store.producer()
    store.save_producer(producer_state(1, 60))

    assert store.save_producer(producer_state(2, 59))

    assert before is None
    assert store.producer() == opened(tmp_path).producer() == producer_state(2, 59)


def test_a_producer_state_of_an_earlier_incarnation_is_refused(opened: Opened, tmp_path: Path) -> None:
    opened(tmp_path).save_producer(producer_state(2, 60))

    assert not opened(tmp_path).save_producer(producer_state(1, 99))

    assert opened(tmp_path).producer() == producer_state(2, 60)


def test_a_producer_state_that_comes_again_is_confirmed_and_does_not_go_back(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save_producer(producer_state(2, 60))
    store.save_producer(producer_state(2, 61))

    again = [opened(tmp_path).save_producer(producer_state(2, mark_ns)) for mark_ns in (60, 61)]

    assert again == [True, True]
    assert store.producer() == producer_state(2, 61)


def test_a_changed_byte_of_the_producer_state_is_reported(opened: Opened, tmp_path: Path) -> None:
    opened(tmp_path).save_producer(producer_state(1, 60))
    path = tmp_path / "producer.state"
    content = path.read_bytes()

    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        with pytest.raises(RunFailed, match=r"producer\.state"):
            opened(tmp_path).producer()


def test_the_highest_epoch_is_that_of_the_last_incarnation(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)

    empty = store.epochs()
    store.save(checkpoint(1, shard=0, epoch=4))
    shard = store.epochs()
    store.save_producer(producer_state(6, 60))
    producer = store.epochs()
    store.save(msgspec.structs.replace(checkpoint(1, shard=1, epoch=5), source_epoch=7))

    assert (empty, shard, producer, store.epochs()) == (0, 4, 6, 7)


def test_a_repeat_is_confirmed_and_changes_nothing(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    again = [store.save(checkpoint(1, bar("SPY", 1))), opened(tmp_path).save(checkpoint(1, bar("SPY", 1)))]

    assert again == [True, True]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_comes_again_of_the_same_incarnation_is_confirmed_and_changes_nothing(
    opened: Opened, tmp_path: Path
) -> None:
    store = opened(tmp_path)
    for number in (1, 2, 3):
        store.save(checkpoint(number, bar("SPY", number, number)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    successor = opened(tmp_path)

    again = [successor.save(checkpoint(number, bar("SPY", number, 99.0))) for number in (2, 3)]

    assert again == [True, True]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(("epoch", "number"), [(1, 4), (1, 5), (1, 99)])
def test_what_an_earlier_incarnation_sends_late_is_refused(
    opened: Opened, tmp_path: Path, epoch: int, number: int
) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(5, bar("SPY", 1, 5.0), epoch=2))

    assert not store.save(checkpoint(number, bar("SPY", 1, 99.0), epoch=epoch))

    assert store.latest(0) == checkpoint(5, bar("SPY", 1, 5.0), epoch=2)
    assert volumes(store) == {("SPY", 1): 5.0}


def test_a_successor_continues_above_what_it_was_restored_from(opened: Opened, tmp_path: Path) -> None:
    opened(tmp_path).save(checkpoint(5, bar("SPY", 1)))
    store = opened(tmp_path)

    assert store.save(checkpoint(6, bar("SPY", 2), epoch=2))

    assert volumes(store) == {("SPY", 1): 1.0, ("SPY", 2): 1.0}


def test_a_record_cut_off_at_any_byte_is_as_if_it_had_never_been_begun(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1, 10.0)))
    log, state = tmp_path / "shard-0.bars", tmp_path / "shard-0.state"
    whole, before = log.stat().st_size, state.read_bytes()
    store.save(checkpoint(2, bar("SPY", 1, 11.0), bar("SPY", 2)))
    store.close()
    written, after = log.read_bytes(), state.read_bytes()

    for cut in range(whole, len(written) + 1):
        log.write_bytes(written[:cut])
        state.write_bytes(before)
        torn = opened(tmp_path)
        assert torn.latest(0) == checkpoint(1, bar("SPY", 1, 10.0))
        assert volumes(torn) == {("SPY", 1): 10.0}
        assert torn.save(checkpoint(2, bar("SPY", 1, 11.0), bar("SPY", 2)))
        torn.close()
        assert log.read_bytes() == written
        assert state.read_bytes() == after


def test_a_torn_tail_longer_than_the_next_record_is_cut_off(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1)))
    with (tmp_path / "shard-0.bars").open("ab") as log:
        log.write(b"\xff" * 10_000)

    opened(tmp_path).save(checkpoint(2, bar("SPY", 2)))

    assert (tmp_path / "shard-0.bars").stat().st_size < 1_000
    assert volumes(store) == {("SPY", 1): 1.0, ("SPY", 2): 1.0}


def test_a_state_that_never_took_its_place_does_not_count(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1)))
    (tmp_path / "shard-0.state.new").write_bytes(b"half a sta")

    again = opened(tmp_path)

    assert again.shards() == [0]
    assert again.latest(0) == checkpoint(1, bar("SPY", 1))


@pytest.mark.parametrize("name", ["shard-0.bars", "shard-0.state"])
def test_a_changed_byte_anywhere_is_reported_with_its_file_never_read_as_data(
    opened: Opened, tmp_path: Path, name: str
) -> None:
    opened(tmp_path).save(checkpoint(1, bar("SPY", 1)))
    path = tmp_path / name
    content = path.read_bytes()

    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        with pytest.raises(RunFailed, match=name):
            list(opened(tmp_path).bars())


@pytest.mark.parametrize("name", ["shard-0.bars", "shard-0.state"])
def test_a_file_that_lost_its_end_is_reported(opened: Opened, tmp_path: Path, name: str) -> None:
    opened(tmp_path).save(checkpoint(1, bar("SPY", 1)))
    path = tmp_path / name
    content = path.read_bytes()

    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(RunFailed, match=name):
            list(opened(tmp_path).bars())


def test_a_disk_that_fills_up_is_reported_and_costs_nothing_saved_before(opened: Opened, tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save(checkpoint(1, bar("SPY", 1)))

    with files_up_to(4_096), pytest.raises(RunFailed, match=r"shard-0.bars.* File too large"):
        store.save(checkpoint(2, *(bar("SPY", minute) for minute in range(2, 500))))

    assert store.latest(0) == checkpoint(1, bar("SPY", 1))
    assert store.save(checkpoint(2, bar("SPY", 2)))
    assert volumes(store) == volumes(opened(tmp_path)) == {("SPY", 1): 1.0, ("SPY", 2): 1.0}


def test_a_folder_that_cannot_be_made_is_reported(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RunFailed, match="keeper"):
        opened(tmp_path / "file" / "keeper")


@examples(40)
@given(
    saves=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(1, 3),
            st.integers(1, 6),
            st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=3),
            st.booleans(),
        ),
        max_size=20,
    )
)
def test_any_arrivals_leave_what_a_plain_table_would_hold(
    saves: list[tuple[int, int, int, list[tuple[str, int]], bool]],
) -> None:
    latest: dict[int, Checkpoint] = {}
    accepted: list[Checkpoint] = []
    with TemporaryDirectory() as folder:
        store = KeeperStore(Path(folder))
        for volume, (shard, epoch, number, minutes, reopened) in enumerate(saves, 1):
            bars = [bar(symbol, minute, float(volume)) for symbol, minute in minutes]
            given_now = checkpoint(number, *bars, shard=shard, epoch=epoch, session_ns=0)
            if reopened:
                store.close()
                store = KeeperStore(Path(folder))
            order, kept = (epoch, number), latest.get(shard)

            confirmed = store.save(given_now)

            assert confirmed == (kept is None or kept.epoch <= epoch)
            if kept is None or (kept.epoch, kept.number) < order:
                latest[shard] = given_now
                accepted.append(given_now)
        final = {
            (each.symbol, each.minute_ns // MINUTE_NS): each.volume
            for one in sorted(accepted, key=lambda one: (one.epoch, one.number))
            for each in unpack_bars(one.bars)
        }
        ties = {(one.epoch, one.number) for one in accepted}

        assert {shard: store.latest(shard) for shard in store.shards()} == latest
        assert set(volumes(store)) == set(final)
        if len(ties) == len(accepted):
            assert volumes(store) == final
        store.close()
