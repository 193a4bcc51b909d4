"""A venue's clock with wrong, huge, jumping or missing answers: session time stays plausible."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.feeds.live.clock_answers import FAR_NS, JUMP_NS, LOST_NS, SILENT_NS
from desk.feeds.live.session_clock import VenueSession
from desk.model.errors import RunFailed
from desk.model.units import DAY_NS, END_NS, FIRST_NS, SECOND_NS

NS = SECOND_NS
NOW_NS = 1_700_000_000 * NS
SESSION_NS = 1_381_152_600 * NS


class Wall:
    def __init__(self) -> None:
        self.now_ns = NOW_NS

    def wall_ns(self) -> int:
        return self.now_ns

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        raise AssertionError(until_ns)


class Clocked:
    """A session on a clock whose answers a test gives, as bytes or as changes of a good one."""

    def __init__(self) -> None:
        self.wall = Wall()
        self.answer: Any = {}
        self.session = VenueSession("http://venue/clock", self.wall, self.get)
        self.ask()

    async def get(self, url: str) -> bytes:
        assert url == "http://venue/clock"
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, bytes):
            return self.answer
        passed_ns = self.wall.now_ns - NOW_NS
        good = {"session_ns": SESSION_NS + passed_ns, "wall_ns": self.wall.now_ns, "speed": 1.0, "state": "playing"}
        return json.dumps(good | self.answer).encode()

    def ask(self, answer: Any = None, after_s: float = 0.0) -> int:
        """Ask once; the session time then, less what it should be."""
        self.answer = {} if answer is None else answer
        self.wall.now_ns += round(after_s * NS)
        asyncio.run(self.session.ask())
        self.session.look(self.wall.now_ns)
        return self.session.session_ns(self.wall.now_ns) - SESSION_NS - (self.wall.now_ns - NOW_NS)

    @property
    def notes(self) -> list[str]:
        return [note.text for note in self.session.take_notes()]


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"[]", b"null", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"<html>",
        {"session_ns": -1}, {"session_ns": 0}, {"session_ns": 2**63}, {"session_ns": 10**400}, {"session_ns": "now"},
        {"session_ns": END_NS}, {"session_ns": FIRST_NS - 1}, {"session_ns": None}, {"session_ns": 1.5},
        {"speed": -1.0}, {"speed": 1e300}, {"speed": "fast"}, {"state": "x" * 33}, {"state": 5}, {"wall_ns": 2**64},
        {"end_ns": 5}, {"session_ns": SESSION_NS + 315_360_000 * NS}, {"session_ns": SESSION_NS - 2 * DAY_NS},
        OSError("gone"), TimeoutError(),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_right_is_refused_however_often_it_comes(answer: Any) -> None:
    clocked = Clocked()

    errors = [clocked.ask(answer, after_s=1.0) for _ in range(4)]

    assert errors == [0, 0, 0, 0]
    assert clocked.session.failures == 4


@pytest.mark.parametrize("wall_ns", [0, 1, NOW_NS - 3_600 * NS, NOW_NS + 3_600 * NS, 2**63 - 1, -(2**63)])
def test_an_answer_with_another_wall_time_is_dated_by_its_arrival(wall_ns: int) -> None:
    clocked = Clocked()

    assert clocked.ask({"wall_ns": wall_ns}, after_s=1.0) == 0
    assert clocked.session.failures == 0


@pytest.mark.parametrize("jump_ns", [2 * JUMP_NS, -2 * JUMP_NS, FAR_NS - NS])
def test_a_jump_is_followed_when_the_clock_says_it_twice(jump_ns: int) -> None:
    clocked = Clocked()

    def jumped() -> dict[str, int]:
        return {"session_ns": SESSION_NS + clocked.wall.now_ns - NOW_NS + NS + jump_ns}

    first = clocked.ask(jumped(), after_s=1.0)
    second = clocked.ask(jumped(), after_s=1.0)

    assert (first, second) == (0, jump_ns)
    assert ["jumps" in note for note in clocked.notes] == [True]


def test_one_answer_that_jumps_is_passed_over() -> None:
    clocked = Clocked()

    errors = [clocked.ask(answer, after_s=1.0) for answer in ({"session_ns": SESSION_NS + 3_600 * NS}, None, None)]

    assert errors == [0, 0, 0]
    assert clocked.notes == []


def test_a_silence_is_reported_and_so_is_its_end() -> None:
    clocked = Clocked()

    for _ in range(12):
        clocked.ask(OSError("gone"), after_s=1.0)
    during = (clocked.session.silence.why, clocked.session.silence.from_ns)
    told = clocked.notes
    clocked.ask(after_s=1.0)

    assert during == ("gone", SESSION_NS)
    assert [f"no answer of use for {seconds} s" in note for seconds, note in zip((5, 10), told, strict=True)] == [
        True
    ] * 2
    assert (clocked.session.silence.why, clocked.session.silence.from_ns) == ("", None)
    assert ["answers again after 13 s" in note for note in clocked.notes] == [True]


def test_a_silence_in_which_session_time_stands_ends_the_run() -> None:
    clocked = Clocked()
    clocked.ask({"speed": None, "session_ns": SESSION_NS})

    def wait() -> None:
        for _ in range(2 * LOST_NS // SILENT_NS):
            clocked.ask(OSError("gone"), after_s=SILENT_NS / NS)

    with pytest.raises(RunFailed, match="no answer of use for"):
        wait()


hostile = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**64), 2**64), st.floats(), st.text(max_size=40),
    st.sampled_from([SESSION_NS, NOW_NS, END_NS, FIRST_NS, 2**63, 10**30, "playing", "ended", "waiting", 1e6, 0]),
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(["session_ns", "wall_ns", "speed", "state", "end_ns"]), hostile)))
def test_whatever_a_clock_says_session_time_is_one_of_this_age(answers: list[dict[str, Any]]) -> None:
    clocked = Clocked()

    for answer in answers:
        clocked.ask(answer, after_s=1.0)
        session, now_ns = clocked.session, clocked.wall.now_ns
        assert FIRST_NS <= session.session_ns(now_ns) < END_NS
        assert session.session_ns(now_ns + NS) - session.session_ns(now_ns) <= 10**6 * NS
        assert 0 <= session.wait_ns(now_ns, SESSION_NS + DAY_NS) <= NS
        session.due(now_ns)


@contextmanager
def http_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on loopback that does with every connection what `serve` says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=run)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/clock"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 100,
        b"HTTP/1.0 500 no\r\n\r\n{}",
        b"HTTP/1.0 302 found\r\nLocation: http://127.0.0.1:1/clock\r\n\r\n",
        b"HTTP/1.0 200 ok\r\n\r\n" + b" " * (1 << 20),
        b"HTTP/1.0 200 ok\r\n" + b"x" * (1 << 20),
        b"HTTP/1.0 " + b"9" * (1 << 17),
        b"HTTP/1.0 200 ok\r\n\r\n" + b"[" * 60_000,
    ],
)
def test_a_server_that_is_no_clock_is_one_failure(answer: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(4_096)
        connection.sendall(answer)

    with http_server(serve) as url:
        session = VenueSession(url, Wall())
        with pytest.raises(RunFailed) as fault:
            asyncio.run(session.ask())

    assert len(str(fault.value)) < 600
