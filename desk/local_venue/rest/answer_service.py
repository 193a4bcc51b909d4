"""The process of the answers: reads questions from its standard input, and writes answers to its standard output.

Tests: tests/desk/local_venue/test_rest_door.py
"""

import os
import pickle
import signal
import sys
import traceback
from typing import Any, BinaryIO, Final

import msgspec

from desk.local_venue.rest.answer_process import INTERNAL_ERROR, LENGTH, framed
from desk.local_venue.rest.answers import Answers
from desk.local_venue.rest.rest_hosts import fault_body, host_of
from desk.local_venue.rest.rest_records import RestAnswer, RestQuestion

LESS_URGENT: Final = 10
"""Niceness of the process: on a busy machine the stream comes first."""


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
        stdout.write(framed(msgspec.msgpack.encode(tuple(answer))))
        stdout.flush()


if __name__ == "__main__":
    # An interrupt from the terminal reaches the venue, too, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(LESS_URGENT)
    answers_to = sys.stdout.buffer
    sys.stdout = sys.stderr
    serve_answers(sys.stdin.buffer, answers_to)
