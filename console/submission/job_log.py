"""The log of a Ray job, read until the job ends. Tests: tests/console/test_console_submit.py."""

import asyncio
from collections.abc import Callable
from typing import Final

from actors.jobs.job_server import JobClient, JobEnd
from desk.model.plain_text import log_piece

PAUSE_S: Final = 1.0
KEPT_CHARACTERS: Final = 20_000


class JobLog:
    """Passes a job's log to `show`, each character once. `tail` is the end of what was passed on."""

    def __init__(self, jobs: JobClient, show: Callable[[str], None]) -> None:
        self.tail = ""
        self._jobs = jobs
        self._show = show
        self._shown = 0

    async def follow(self, job: str) -> JobEnd:
        """Show the log until the job ends; return how it ended. Raises RunFailed if the connection is lost."""
        while True:
            await self._read(job)
            end = await asyncio.to_thread(self._jobs.end, job)
            if end is not None:
                return end
            await asyncio.sleep(PAUSE_S)

    async def _read(self, job: str) -> None:
        """Read the log once. Each reading starts at its beginning, so the part that was shown is skipped."""
        read = 0
        async for text in self._jobs.log(job):
            fresh = text[max(self._shown - read, 0) :]
            read += len(text)
            self._shown = max(self._shown, read)
            if fresh:
                self._show(log_piece(fresh))
                self.tail = (self.tail + fresh)[-KEPT_CHARACTERS:]
