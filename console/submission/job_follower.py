"""A job from its submission to its end, with the signals that stop it. Tests: tests/console/test_console_submit.py."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Final

from actors.jobs.job_server import JobClient, JobEnd
from console.submission.job_log import JobLog
from desk.process.signals import stop_signals

STDOUT: Final = 1


class JobFollower:
    """Submits a job and shows its log. The first signal stops the job, the second ends this process alone.

    `show` takes pieces of the log, `tell` one line for the user. `received` is the first signal's number, `said` the
    end of the log.
    """

    def __init__(self, jobs: JobClient, show: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self.received: int | None = None
        self._jobs = jobs
        self._log = JobLog(jobs, show)
        self._tell = tell
        self._job = ""
        self._stop = asyncio.Event()

    @property
    def said(self) -> str:
        return self._log.tail

    async def follow(self, submit: Callable[[], str]) -> JobEnd:
        """Submit a job, and wait until it ends. `submit` returns its id. Raises the errors of `submit`, RunFailed."""
        loop = asyncio.get_running_loop()
        with stop_signals() as signals:
            signals.orderly(lambda number: loop.call_soon_threadsafe(self._on_signal, number), self._on_second)
            return await self._follow(submit)

    async def _follow(self, submit: Callable[[], str]) -> JobEnd:
        self._job = await asyncio.to_thread(submit)
        self._tell(f"job {self._job}; ctrl-c, or `ray job stop {self._job}`, stops it in good order")
        stopping = asyncio.create_task(self._stop.wait())
        showing = asyncio.create_task(self._log.follow(self._job))
        await asyncio.wait({stopping, showing}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done() and not showing.done():
            await asyncio.to_thread(self._jobs.stop, self._job)
        stopping.cancel()
        return await showing

    def _on_signal(self, number: int) -> None:
        self.received = number
        name = signal.Signals(number).name
        self._tell(f"{name}: the job is being stopped and writes its results; a second signal ends only this command")
        self._stop.set()

    def _on_second(self, number: int) -> None:
        where = f"ray job logs {self._job}" if self._job else "ray job list"
        name = signal.Signals(number).name
        last = f"{name} again: this command ends. The job continues to stop; `{where}` shows how it ends"
        # Past the console: the signal may interrupt it while it prints, and text that it buffers then is lost.
        with contextlib.suppress(OSError):
            os.write(STDOUT, f"{last}\n".encode())
