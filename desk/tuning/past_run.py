"""The market of a run: the minutes in its keeper, and its figures if it is finished.

Tests: tests/desk/tuning/test_study.py
"""

from collections import defaultdict
from pathlib import Path

import msgspec

from desk.checkpoint import KeeperStore
from desk.consumer.engine.snapshot import decode_state
from desk.model.errors import RunFolderError
from desk.runs import RunFolder
from desk.tuning.market_load import MarketLoad, minutes_load


class PastRun(msgspec.Struct, frozen=True):
    """The market of a run, finished or not.

    `producer_us` is the CPU time of the producer's process per tick; None while the run is under way, and if the
    producer had no process of its own.
    """

    load: MarketLoad
    producer_us: float | None


def read_run(path: Path, window_s: float) -> PastRun:
    """The market so far of the run in the folder `path`.

    Raises RunFolderError if there is no run or no closed minute yet, RunFailed for damaged files.
    """
    folder = RunFolder(path)
    minutes: defaultdict[int, dict[str, int]] = defaultdict(dict)
    symbols: set[str] = set()
    ticks = 0
    if folder.keeper.is_dir():
        store = KeeperStore(folder.keeper)
        for bar in store.bars():
            minutes[bar.minute_ns][bar.symbol] = bar.trades
        for shard in store.shards():
            checkpoint = store.latest(shard)
            assert checkpoint is not None, "a shard that is listed has a checkpoint"
            state = decode_state(checkpoint.state)
            symbols.update(symbol.symbol for symbol in state.symbols)
            ticks += state.audit.trades + state.audit.quotes
    trades = sum(sum(by_symbol.values()) for by_symbol in minutes.values())
    if not trades:
        raise RunFolderError(
            str(path),
            "it holds no closed minute with a trade",
            "the folder of a run, over or under way, that has seen at least one minute",
            "Name one, or let the run go on for some minutes.",
        )
    summary = folder.figures() if folder.summary.exists() else None
    received = ticks if summary is None else sum(count.came for count in summary.ticks.by_class().values())
    state_of = "under way" if summary is None else "over"
    load = minutes_load(f"{path}, a run that is {state_of}", minutes, symbols, max(received / trades, 1.0), window_s)
    if summary is None or summary.in_process:
        return PastRun(load, None)
    return PastRun(load, 1e6 * summary.producer.cpu_s / max(received, 1))
