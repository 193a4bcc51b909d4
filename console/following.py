"""A job followed from its submission to its end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Final

from actors.jobs import JobEnd, Jobs
from desk.model.plain_text import log_piece
from desk.signals import stop_signals

PAUSE_S: Final = 1.0
KEPT_CHARACTERS: Final = 20_000
STDOUT: Final = 1


class Follower:
    """Shows a job's log while it runs. The first signal stops the job and is waited for, the second leaves it alone.

    `show` takes the log as it comes, `tell` a line for the person at the terminal. `said` is the end of what was shown.
    """

    def __init__(self, jobs: Jobs, show: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self.received: int | None = None
        self.said = ""
        self._jobs = jobs
        self._show = show
        self._tell = tell
        self._job = ""
        self._asked = asyncio.Event()

    async def follow(self, submit: Callable[[], str]) -> JobEnd:
        """Submit a job, which gives its id, and see it to its end. Raises what `submit` raises, RunFailed."""
        loop = asyncio.get_running_loop()
        with stop_signals() as signals:
            signals.orderly(lambda number: loop.call_soon_threadsafe(self._on_signal, number), self._on_second)
            return await self._follow(submit)

    async def _follow(self, submit: Callable[[], str]) -> JobEnd:
        self._job = await asyncio.to_thread(submit)
        self._tell(f"job {self._job}; ctrl-c closes its books, and so does `ray job stop {self._job}`")
        asked = asyncio.create_task(self._asked.wait())
        showing = asyncio.create_task(self._show_all())
        await asyncio.wait({asked, showing}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done() and not showing.done():
            await asyncio.to_thread(self._jobs.stop, self._job)
        asked.cancel()
        return await showing

    async def _show_all(self) -> JobEnd:
        """Show the log to the job's end. Where a reading breaks off it is read again, and nothing shown twice."""
        shown = 0
        while True:
            read = 0
            async for text in self._jobs.log(self._job):
                fresh = text[max(shown - read, 0) :]
                read += len(text)
                shown = max(shown, read)
                if fresh:
                    self._show(log_piece(fresh))
                    self.said = (self.said + fresh)[-KEPT_CHARACTERS:]
            end = await asyncio.to_thread(self._jobs.end, self._job)
            if end is not None:
                return end
            await asyncio.sleep(PAUSE_S)

    def _on_signal(self, number: int) -> None:
        self.received = number
        name = signal.Signals(number).name
        self._tell(f"{name}: the job is being stopped, its desk closes the books; a second one leaves it to that")
        self._asked.set()

    def _on_second(self, number: int) -> None:
        where = f"ray job logs {self._job}" if self._job else "ray job list"
        last = f"{signal.Signals(number).name} again: left. The job goes on stopping; `{where}` tells how it ends"
        # Not through the console: the signal may have come while it prints, and what it keeps is never shown.
        with contextlib.suppress(OSError):
            os.write(STDOUT, f"{last}\n".encode())
