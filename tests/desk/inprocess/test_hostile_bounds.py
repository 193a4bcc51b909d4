"""Whole desks on venues that send too much data, or times that jump: each fault is named, and nothing hangs."""

import socket
from typing import Any

import pytest
from hostile_venue import (
    BINARY,
    PING,
    START_NS,
    TEXT,
    LiveDesk,
    Step,
    advance,
    answer,
    drop,
    forge,
    frame,
    fresh,
    packed,
    quote,
    step_clock,
    trade,
    write,
)

from desk.feeds.live.socket_feed import CATCH_UP_NS
from desk.model.errors import RunFailed
from desk.model.items import Mark
from desk.model.units import DAY_NS, SECOND_NS
from desk.streams import limits
from desk.streams.limits import MAX_IDLE_FRAMES, MAX_MALFORMED, MAX_MESSAGE_BYTES, MAX_SYMBOL_CHARS

NS = SECOND_NS
HOUR_NS = 3_600 * NS
BALANCED = {"trades": 0, "quotes": 0, "notices": 0}
IN_2200_NS = 7_258_118_400 * NS


def good(seconds: int) -> list[Step]:
    return [fresh(), advance(1.0)] * seconds


def played(*script: Step) -> LiveDesk:
    desk = LiveDesk(script=script).run()
    assert desk.balance() == BALANCED
    assert desk.faults == []
    return desk


def notes(desk: LiveDesk) -> str:
    return " | ".join(note.text for note in desk.loop.notes.latest())


def marks(desk: LiveDesk) -> list[int]:
    return [(item.session_ns - START_NS) // NS for item in desk.wire.items(0) if isinstance(item, Mark)]


def ahead(ahead_ns: int) -> Step:
    """One trade from the future, in a frame of its own."""
    return lambda desk: desk.venue.write(packed(trade(desk.clock.now_ns + ahead_ns)))


@pytest.mark.parametrize("ahead_ns", [HOUR_NS, 11 * NS, IN_2200_NS - START_NS, 9 * NS])
def test_one_trade_from_the_future_neither_sheds_others_nor_bars_entries(ahead_ns: int) -> None:
    desk = played(*good(5), ahead(ahead_ns), *good(40))

    rejected = {} if ahead_ns < 10 * NS else {"time": 1}
    assert desk.feed.counts.rejected["trades"] == rejected
    assert sum(lane.totals().trades_aged for lane in desk.loop.lanes) == 0
    assert desk.entries >= 2 * 43
    assert "too old" not in notes(desk)


def test_a_venue_that_floods_with_pings_or_empty_frames_is_left() -> None:
    floods = [
        frame(b"x", PING) * (MAX_IDLE_FRAMES + 1),
        frame(b"", BINARY, fin=False) + frame(b"", 0, fin=False) * MAX_IDLE_FRAMES,
        frame(b"", TEXT) * (MAX_IDLE_FRAMES + 1),
    ]
    for flood in floods:
        desk = LiveDesk(script=[*good(3), *write(flood), *good(3)]).run()

        assert "floods" in desk.live.health.last_failure
        assert desk.venue.connections == 2
        assert desk.faults == []


def test_a_thousand_pings_are_no_flood() -> None:
    desk = played(*good(3), *write(frame(b"x", PING) * (MAX_IDLE_FRAMES // 2)), *good(3))

    assert desk.venue.connections == 1


@pytest.mark.parametrize(
    "handshake",
    [
        b"HTTP/1.1 101 x\r\n" + b"".join(b"h%d: %s\r\n" % (n, b"v" * 8_000) for n in range(30)),
        b"HTTP/1.1 503 x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000,
    ],
)
def test_a_handshake_that_does_not_end_is_a_failed_attempt(handshake: bytes) -> None:
    failures: list[str] = []
    look = lambda desk: failures.append(desk.live.health.last_failure)  # noqa: E731
    desk = LiveDesk(
        script=[answer(handshake), drop(reset=True), *[advance(1.0)] * 3, look, answer(None), advance(80.0), *good(3)]
    ).run()

    assert "handshake has more than" in failures[0]
    assert desk.live.health.up
    assert desk.balance() == BALANCED


def test_a_redirect_is_not_followed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        to = f"HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: ws://127.0.0.1:{other.getsockname()[1]}/\r\n\r\n".encode()
        desk = LiveDesk(script=[answer(to), drop(reset=True), *good(3)]).run()

        with pytest.raises(BlockingIOError):
            other.accept()
    assert isinstance(desk.live.fault, RunFailed)  # in mid-session: the day ends in order
    assert "302" in str(desk.live.fault)
    assert desk.balance() == BALANCED


def test_a_message_that_is_too_long_ends_its_connection() -> None:
    desk = LiveDesk(script=[*good(3), *write(frame(b"\x00" * (MAX_MESSAGE_BYTES + 1))), *good(3)]).run()

    assert "exceeds limit" in desk.live.health.last_failure
    assert desk.venue.connections == 2


def test_a_frame_of_malformed_messages_is_not_read_to_its_end() -> None:
    desk = LiveDesk(script=[*good(3), *write(packed(*[0] * (3 * MAX_MALFORMED))), *good(3)]).run()

    assert desk.feed.counts.rejected["trades"] == {"kind": MAX_MALFORMED}
    assert "malformed" in desk.live.health.last_failure
    assert desk.balance() == BALANCED


def test_a_venue_that_invents_symbols_gets_no_more_of_them_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SYMBOLS", 5)
    invented = [make(START_NS, f"S{n}") for n in range(20) for make in (trade, quote)]

    desk = LiveDesk(always=["*"], script=[*good(2), *write(packed(*invented)), *good(2)]).run()

    known = {symbol for shard in desk.consumers.values() for symbol in shard.engine.symbols}
    assert known == {"A", "B", "S0", "S1", "S2"}
    assert desk.feed.counts.rejected == {"trades": {"symbols": 17}, "quotes": {"symbols": 17}, "notices": {}}
    assert "different symbols" in notes(desk)
    assert desk.balance() == BALANCED


def test_texts_have_a_length_and_can_be_shown() -> None:
    bad = [
        trade(START_NS, "S" * (MAX_SYMBOL_CHARS + 1)),
        trade(START_NS, "A\x1b[31m"),
        trade(START_NS, "A\nB"),
        trade(START_NS, c=["@"] * 33),
        trade(START_NS, c=["@" * 17]),
        trade(START_NS, x="V" * 17),
        trade(START_NS, z="V" * 17),
    ]
    desk = played(*good(2), *write(packed(*bad)), *good(2))

    assert desk.feed.counts.rejected["trades"] == {"symbol": 3, "message": 4}


@pytest.mark.parametrize("symbols", [[f"S{n}" for n in range(60_000)], ["S" * 1_000]])
def test_an_acknowledgement_of_more_than_there_is_ends_its_connection(symbols: list[str]) -> None:
    said: dict[str, Any] = {"T": "subscription", "trades": symbols, "quotes": []}

    desk = LiveDesk(script=[*good(2), *forge(packed(said)), *good(3)]).run()

    assert "acknowledged" in desk.live.health.last_failure
    assert desk.venue.connections == 2


def test_a_laptop_lid_is_one_gap_without_marks() -> None:
    desk = played(*good(5), advance(3 * 3_600.0), *good(3))

    (gap,) = desk.loop.gaps.records
    assert (gap.to_ns - gap.from_ns) // NS == 3 * 3_600 + 1
    assert marks(desk) == [1, 2, 3, 4, 5, *range(10_805, 10_809)]
    assert "jumped by" in notes(desk)
    assert any("jumped once" in line for line in desk.loop.watch.report().warnings)


def test_a_pause_of_minutes_is_made_up_for_second_by_second() -> None:
    seconds = CATCH_UP_NS // NS

    desk = played(*good(5), advance(float(seconds)), *good(1))

    assert marks(desk) == list(range(1, seconds + 7))
    assert len(desk.loop.gaps.records) == 1  # the connection was mute for so long


def test_a_clock_that_jumps_ten_years_ends_the_session() -> None:
    desk = LiveDesk(script=[*good(5), advance(315_360_000.0), *good(1_000)]).run()

    assert marks(desk) == [1, 2, 3, 4, 5, DAY_NS // 2 // NS]
    assert len(desk.loop.gaps.records) == 1


@pytest.mark.parametrize("step_s", [3_600.0, 600.0, -5.0])
def test_a_clock_of_this_machine_that_is_set_sheds_nothing_and_is_named(step_s: float) -> None:
    def right(desk: LiveDesk) -> None:
        now_ns = desk.session_ns if desk.clock.stepped_ns else desk.clock.now_ns + round(step_s * NS)
        desk.venue.write(packed(*[make(now_ns, symbol) for make in (trade, quote) for symbol in "AB"]))

    tick: list[Step] = [right, advance(1.0)]
    desk = LiveDesk(script=[*tick * 10, step_clock(step_s), *tick * 30]).run()

    assert desk.balance() == BALANCED
    assert sum(lane.totals().trades_aged for lane in desk.loop.lanes) == 0
    assert "this machine's clock was set" in notes(desk)
    assert desk.live.health.clock_steps == 1
    assert desk.live.read_age_ns == 0
