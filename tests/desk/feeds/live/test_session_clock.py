"""Session time of a venue: advanced between its answers, and requested again in time."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from desk.feeds.live.session_clock import ASK_NS, ASK_STANDING_NS, RealSession, VenueSession, clock_url
from desk.model.errors import RunFailed

DAY_NS = 1_381_152_600_000_000_000


class Wall:
    def __init__(self) -> None:
        self.now_ns = 7_000

    def wall_ns(self) -> int:
        return self.now_ns

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        raise AssertionError(until_ns)


def asked(answer: Callable[[], Any], wall: Wall) -> VenueSession:
    async def get(url: str) -> bytes:
        assert url == "http://venue/clock"
        found = answer()
        if isinstance(found, Exception):
            raise found
        return msgspec.json.encode({"wall_ns": 5_000, "session_ns": DAY_NS, **found})

    session = VenueSession("http://venue/clock", wall, get)
    asyncio.run(session.ask())
    return session


def test_session_time_passes_by_the_factor_since_the_answer() -> None:
    session = asked(lambda: {"speed": 4.0, "state": "playing"}, Wall())

    assert session.session_ns(6_000) == DAY_NS + 4_000
    assert session.wait_ns(6_000, DAY_NS + 8_000) == 1_000
    assert session.wait_ns(6_000, DAY_NS) == 0


@pytest.mark.parametrize(
    "answer",
    [{"speed": 4.0, "state": "waiting"}, {"speed": None, "state": "playing"}, {"speed": 4.0, "state": "ended"}],
)
def test_session_time_stands_while_only_the_venue_knows_it(answer: dict[str, Any]) -> None:
    session = asked(lambda: answer, Wall())

    assert session.session_ns(9_000_000) == DAY_NS
    assert session.wait_ns(0, DAY_NS + 1) == ASK_STANDING_NS
    assert session.ended == (answer["state"] == "ended")


def test_session_time_does_not_pass_a_known_end() -> None:
    session = asked(lambda: {"speed": 1.0, "state": "playing", "end_ns": DAY_NS + 10}, Wall())

    assert session.session_ns(5_009) == DAY_NS + 9
    assert session.session_ns(99_000) == DAY_NS + 10


def test_it_is_asked_every_second_and_when_told_to_and_never_after_the_end() -> None:
    wall = Wall()
    state = {"speed": 1.0, "state": "playing"}
    session = asked(lambda: state, wall)

    assert not session.due(wall.now_ns + ASK_NS - 1)
    assert session.due(wall.now_ns + ASK_NS)
    session.hurry()
    assert session.due(wall.now_ns + ASK_NS - 1)
    state["state"] = "ended"
    asyncio.run(session.ask())
    assert not session.due(wall.now_ns + 10 * ASK_NS)


def test_a_failure_after_the_first_answer_carries_the_last_one_on() -> None:
    answers: list[Any] = [{"speed": 2.0, "state": "playing"}, OSError("gone"), {"speed": -1.0}]
    session = asked(lambda: answers.pop(0), Wall())

    asyncio.run(session.ask())
    asyncio.run(session.ask())

    assert session.failures == 2
    assert session.session_ns(6_000) == DAY_NS + 2_000


def test_no_first_answer_is_a_fault_that_names_the_place() -> None:
    with pytest.raises(RunFailed, match=r"venue clock http://venue/clock: gone"):
        asked(lambda: OSError("gone"), Wall())


def test_real_session_time_is_wall_time() -> None:
    session = RealSession()

    assert session.session_ns(5) == 5
    assert session.wait_ns(5, 9) == 4
    assert not session.due(10**18)


def test_the_clock_stands_beside_the_stream() -> None:
    assert clock_url("ws://127.0.0.1:99/v2/sip") == "http://127.0.0.1:99/clock"
    assert clock_url("wss://stream.example/v2/iex") == "https://stream.example/clock"
