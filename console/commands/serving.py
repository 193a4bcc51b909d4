"""Servers that `desk venue` runs until a signal: their port, its file, and their end.

Tests: tests/console/test_console_venue.py
"""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from desk.files.atomic import replacing
from desk.model.errors import RunFailed


@contextmanager
def listening_on(port: int) -> Iterator[None]:
    """Translate the OSError of a port that is not free. Raises RunFailed."""
    try:
        yield
    except OSError as error:
        found = f"the venue cannot listen on it: {error.strerror or error}"
        raise RunFailed(f"port {port}", found, "a free port", "Choose another --port; 0 takes a free one.") from error


def stop_event() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def run_until(stop: asyncio.Event, work: Coroutine[Any, Any, None], *, ends: bool = True) -> None:
    """Run the work until it ends, or until `stop`; with `ends` False, wait for `stop` after its end."""
    running, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
        if not ends:
            await stopping
    for task in (running, stopping):
        task.cancel()
    await asyncio.wait((running, stopping))


def write_port(path: Path | None, port: int) -> None:
    """Write the port to the file that --port-file names."""
    if path is not None:
        with replacing(path) as beside:
            beside.write_text(f"{port}\n", encoding="utf-8")
