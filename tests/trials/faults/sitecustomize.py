"""Faults in the processes of a desk under test: which one is on stands in the file `fault` beside this module.

Python imports it at its start, where the folder is in PYTHONPATH. It changes a few modules when they are imported.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

FILE = Path(__file__).with_name("fault")
LOOK_S = 0.1
DRAIN_S = 1.0


def fault() -> str:
    """The fault that is on; "" for none."""
    try:
        return FILE.read_text()
    except OSError:
        return ""


def hold_the_lock() -> None:
    """Hold the interpreter's lock in calls of C, again and again."""
    numbers = [(number * 7_919 % 1_000_003) / 7 for number in range(250_000)]
    while True:
        if fault() == "lock":
            sorted(numbers)
        else:
            time.sleep(LOOK_S)


def in_producer(module: ModuleType) -> None:
    play = module.ProducerLoop.play

    def play_with_thread(self: Any) -> Any:
        threading.Thread(target=hold_the_lock, name="fault", daemon=True).start()
        return play(self)

    module.ProducerLoop.play = play_with_thread


def in_consumer(module: ModuleType) -> None:
    receive = module.Shard.receive

    def receive_late(self: Any, batch: bytes) -> Any:
        if fault() == "link":
            time.sleep(0.15)
        return receive(self, batch)

    module.Shard.receive = receive_late


def in_ledger(module: ModuleType) -> None:
    record = module.SqlLedger.record

    def record_slowly(self: Any, *args: Any) -> None:
        if fault() == "ledger":
            time.sleep(0.4)
        record(self, *args)

    module.SqlLedger.record = record_slowly


def block(descriptor: int) -> None:
    """While the fault is on, have the descriptor be a pipe that nothing reads; a line of the log then blocks."""
    import logging  # noqa: PLC0415 - every Python of the test imports this module

    while True:
        time.sleep(LOOK_S)
        if fault() != "log":
            continue
        kept = os.dup(descriptor)
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while os.write(writer, b"x" * 4096):
                pass
        except BlockingIOError:
            os.set_blocking(writer, True)
        os.dup2(writer, descriptor)
        logging.getLogger("raydesk").info("a line")
        while fault() == "log":
            time.sleep(LOOK_S)
        os.dup2(kept, descriptor)
        os.set_blocking(reader, False)
        end_s = time.monotonic() + DRAIN_S
        while time.monotonic() < end_s:  # so that the write that blocks ends
            with contextlib.suppress(BlockingIOError):
                os.read(reader, 65_536)
            time.sleep(LOOK_S)
        for each in (kept, reader, writer):
            os.close(each)


def in_log(module: ModuleType) -> None:
    made = module.LogFile.__init__

    def make(self: Any, path: Path) -> None:
        made(self, path)
        threading.Thread(target=block, args=(self._descriptor,), name="fault", daemon=True).start()

    module.LogFile.__init__ = make


CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "desk.producer.loop": in_producer,
    "desk.consumer.shard": in_consumer,
    "desk.ledger.sql": in_ledger,
    "desk.runs.log_file": in_log,
}


def changing(name: str, execute: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    """Execute the module, then change it."""

    def execute_and_change(module: ModuleType) -> None:
        execute(module)
        CHANGES[name](module)

    return execute_and_change


class Changing(importlib.abc.MetaPathFinder):
    """Finds the modules of CHANGES, and changes them once they are executed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in CHANGES:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module = changing(name, spec.loader.exec_module)  # type: ignore[method-assign]
                return spec
        return None


sys.meta_path.insert(0, Changing())
