"""The answers in a process of their own, so that a large request does not delay the stream.

The process starts with the first request; its standard input and output carry frames of four bytes of length and the
content. It ends when its input ends, so it does not outlive the venue.

Tests: tests/desk/local_venue/test_rest_door.py
"""

import asyncio
import os
import pickle
import signal
import struct
import sys
from contextlib import suppress
from typing import Final

import msgspec

from desk.local_venue.rest.rest_hosts import fault_body, host_of
from desk.local_venue.rest.rest_records import AnswerSetup, RestAnswer, RestQuestion

LENGTH: Final = struct.Struct("!I")
INTERNAL_ERROR: Final = 500
SERVICE: Final = "desk.local_venue.rest.answer_service"


class AnswerProcess:
    """Asks one question after the other."""

    def __init__(self, setup: AnswerSetup) -> None:
        self._setup = setup
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._exchanges: set[asyncio.Task[RestAnswer]] = set()

    async def ask(self, question: RestQuestion) -> RestAnswer:
        """The answer. A process that ended is an answer with status 500; the next question starts another."""
        # A client that disconnects cancels its request, but not the exchange: the answer must be read.
        exchange = asyncio.create_task(self._exchange(question))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        return await asyncio.shield(exchange)

    async def close(self) -> None:
        """End the process and drop pending questions."""
        for exchange in self._exchanges:
            exchange.cancel()
        if self._process is not None:
            await _end(self._process)
            self._process = None

    async def _exchange(self, question: RestQuestion) -> RestAnswer:
        async with self._turn:
            if self._process is None:
                self._process = await self._start()
            reader, writer = self._process.stdout, self._process.stdin
            assert reader is not None, "a pipe"
            assert writer is not None, "a pipe"
            try:
                writer.write(framed(msgspec.msgpack.encode(question)))
                (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                status, body = msgspec.msgpack.decode(await reader.readexactly(size), type=tuple[int, bytes])
            except (asyncio.IncompleteReadError, ConnectionError):
                await _end(self._process)
                self._process = None
                host = host_of(question.path)
                return RestAnswer(INTERNAL_ERROR, fault_body(host, INTERNAL_ERROR, "the history's process ended"))
            return RestAnswer(status, body)

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", SERVICE)
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        assert process.stdin is not None, "a pipe"
        process.stdin.write(framed(msgspec.msgpack.encode(sys.path)) + framed(pickle.dumps(self._setup)))
        return process


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        # Not `process.kill`: it reaps a child that is already dead, and asyncio then finds no status of it.
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    await process.wait()


def framed(content: bytes) -> bytes:
    """A frame with this content."""
    return LENGTH.pack(len(content)) + content
