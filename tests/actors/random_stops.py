"""Stops a desk at random moments, half of them right after a process was killed. A seed repeats a run."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from desk_process import RunningDesk, is_alive
from session_ray import RayHead, wait_until
from slice_plans import ENDLESS

from desk.checkpoint import KeeperStore
from desk.model.errors import BY_SIGNAL

AT_ONCE: Final = 4
LONGEST_PLAY_S: Final = 3.0
LONGEST_START_S: Final = 4.0
START_S: Final = 120.0
VICTIMS: Final = ("producer", "consumer-00", "consumer-01", "broker", "ledger", "keeper", "scanner")

PACED: Final = ENDLESS.replace("speed = 2.0", "speed = 5.0").replace('"endless"', '"paced"')
LOCKSTEP: Final = PACED.replace("speed = 5.0", 'speed = "max"').replace('"paced"', '"lockstep"')
LIVE: Final = """
[session]
name = "live"
mode = "paper"
calendar = "24/7"
[feed]
kind = "alpaca"
url = "URL"
symbols = ["SYN0000", "SYN0001", "SYN0002", "SYN0003"]
[flow]
checkpoint_s = 0.2
[guards]
max_clock_skew_ms = 600000
[consumers]
count = 2
cpus = 0.5
[[strategies]]
use = "strategies.examples.mean_reversion:MeanReversion"
"""


@dataclass
class DeskStop:
    """One stop of one desk, and what came of it."""

    seed: int
    plan: str
    said: str = ""
    fault: str = ""

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.plan}, {self.said}: {self.fault or 'balanced'}"


def stop_many(
    seeds: list[int],
    plans: dict[str, Path],
    folder: Path,
    head: RayHead,
    tell: Callable[[DeskStop], object] = lambda _: None,
    *,
    mixed: bool = False,
) -> list[DeskStop]:
    """Stop a desk for each seed, some at once; `tell` gets each outcome.

    Desks run on this Ray; with `mixed`, those in which no process is killed (odd seeds) run in one process each.
    """
    names = sorted(plans)

    def one(seed: int) -> DeskStop:
        stop = DeskStop(seed, names[seed // 2 % len(names)])
        where = ["--in-process"] if mixed and seed % 2 else ["--address", head.address]
        with closing(
            RunningDesk(plans[stop.plan], folder / f"run-{seed}", head.environment, *where, "--quiet")
        ) as desk:
            try:
                _stop(desk, stop)
            except BaseException as fault:  # noqa: BLE001 - it is the outcome
                stop.fault = f"{fault!r}\n{desk.log()}"
        tell(stop)
        return stop

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, seeds))


def _stop(desk: RunningDesk, stop: DeskStop) -> None:
    random = Random(stop.seed)
    if stop.seed % 10 == 1:
        after_s = random.uniform(0, LONGEST_START_S)
        stop.said = f"SIGTERM {after_s:.2f} s after its start"
        time.sleep(after_s)
    else:
        wait_until(lambda: desk.ended or _is_playing(desk), START_S, "the start of the session")
        after_s = random.uniform(0, LONGEST_PLAY_S)
        stop.said = f"SIGTERM {after_s:.2f} s after the session's start"
        time.sleep(after_s)
        if stop.seed % 2 == 0:
            victims = random.sample(VICTIMS, random.choice([1, 1, 1, 2, 3]))
            if stop.seed % 4 == 0 and "producer" not in victims:
                victims[0] = "producer"
            wait_s = random.uniform(0, 1)
            stop.said = f"{' and '.join(victims)} killed {after_s:.2f} s after its start, SIGTERM {wait_s:.2f} s later"
            for victim in victims:
                with suppress(KeyError, ProcessLookupError):
                    os.kill(desk.pids()[victim], signal.SIGKILL)
            time.sleep(wait_s)
    desk.process.send_signal(signal.SIGTERM)
    stopped_s = time.monotonic()
    status, out, err = desk.finish()
    if status == -signal.SIGTERM:  # before the command caught signals
        status = BY_SIGNAL + signal.SIGTERM
    stop.said += f", ended {time.monotonic() - stopped_s:.1f} s later with {status}"
    summary: dict[str, Any] = desk.summary() if (desk.run_dir / "summary.json").exists() else {}
    pids = [pid for pids in desk.started().values() for pid in pids]
    wait_until(lambda: not any(map(is_alive, pids)), 30.0, "the end of every actor")
    if status == BY_SIGNAL + signal.SIGTERM:
        assert not _given_marks(desk), (out, err)
        assert not summary or summary["balanced"], (out, err)
        return
    assert summary["balanced"], (err, summary["ticks"])
    problems = summary["problems"]
    assert status == 0 or (stop.plan == "live" and problems[0].startswith("alpaca stream")), (status, err, problems)


def _is_playing(desk: RunningDesk) -> bool:
    """Whether the producer has started; of a desk in one process, whether a mark was given."""
    return "producer" in desk.started() or desk.mark_ns() > 0


def _given_marks(desk: RunningDesk) -> list[int]:
    """The session times above 0 that shards have in their last checkpoints: each was a mark."""
    folder = desk.run_dir / "keeper"
    if not folder.exists():
        return []
    store = KeeperStore(folder)
    kept = [store.latest(shard) for shard in store.shards()]
    return [checkpoint.session_ns for checkpoint in kept if checkpoint is not None and checkpoint.session_ns]
