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
import traceback
from typing import Any, BinaryIO, Final

import msgspec

from desk.local_venue.rest.answers import Answers, AnswerSetup, RestAnswer, RestQuestion
from desk.local_venue.rest.rest_hosts import fault_body, host_of

LENGTH: Final = struct.Struct("!I")
INTERNAL_ERROR: Final = 500
LESS_URGENT: Final = 10
"""Niceness of the process: on a busy machine the stream comes first."""


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
                writer.write(_framed(msgspec.msgpack.encode(question)))
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
        command = (sys.executable, "-m", __name__)
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        assert process.stdin is not None, "a pipe"
        process.stdin.write(_framed(msgspec.msgpack.encode(sys.path)) + _framed(pickle.dumps(self._setup)))
        return process


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def _framed(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


def _read(stream: BinaryIO) -> bytes | None:
    """The next frame; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    content = stream.read(size)
    return content if len(content) == size else None


def serve_answers(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answer questions until the input ends. The first two frames are the module path and the setup."""
    path, setup = _read(stdin), _read(stdin)
    if path is None or setup is None:
        return
    sys.path[:] = msgspec.msgpack.decode(path)
    made: Any = pickle.loads(setup)  # noqa: S301  the venue's own pipe
    answers = Answers(made)
    while (frame := _read(stdin)) is not None:
        question = msgspec.msgpack.decode(frame, type=RestQuestion)
        try:
            answer = answers.answer(question)
        except Exception:  # noqa: BLE001  the process keeps what it has read; the venue's terminal shows the fault
            traceback.print_exc()
            host = host_of(question.path)
            answer = RestAnswer(INTERNAL_ERROR, fault_body(host, INTERNAL_ERROR, "internal server error"))
        stdout.write(_framed(msgspec.msgpack.encode(tuple(answer))))
        stdout.flush()


if __name__ == "__main__":
    # An interrupt from the terminal reaches the venue, too, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(LESS_URGENT)
    answers_to = sys.stdout.buffer
    sys.stdout = sys.stderr
    serve_answers(sys.stdin.buffer, answers_to)
