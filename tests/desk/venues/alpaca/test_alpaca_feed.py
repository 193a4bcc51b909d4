"""The feed against a server that speaks the real protocol on a real socket."""

import asyncio
import logging
import random
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from alpaca_feeds import (
    BOTH,
    KEY,
    MAX_FRAMES,
    SECRET,
    START_NS,
    ManualClock,
    make_feed,
    send_after_subscribing,
    subscribe_only,
    until,
)
from alpaca_server import NS, AlpacaServer, Client, Script, quote, trade

from desk.feeds.frames import frames_of
from desk.model.errors import CredentialsError, PlanError, RunFailed
from desk.model.feed_health import FeedHealth
from desk.model.feed_position import FeedPosition
from desk.model.ticks import Frame
from desk.process.clock import SystemClock
from desk.venues.alpaca.market import AlpacaFeed

PATIENT_NS = 3_600 * NS
"""A timeout that seconds of a hand-moved clock do not reach while a pong takes real time."""


def failing(code: int, *, authenticated: bool = False) -> Script:
    async def script(client: Client) -> None:
        if authenticated:
            await client.greet()
            await client.acknowledge()
        else:
            await client.send({"T": "success", "msg": "connected"})
            await client.receive()
        await client.send({"T": "error", "code": code, "msg": f"{KEY} {SECRET}"})
        await client.stay()

    return script


def test_ticks_come_after_greeting_authentication_and_subscription() -> None:
    with AlpacaServer(send_after_subscribing(trade("A", START_NS), quote("B", START_NS + 1))) as server:
        feed = make_feed(server)
        frames = frames_of(feed, feed._clock)

        ticks = until(frames, lambda seen: len(seen) >= 2)
        frames.close()

    assert [(tick.ordinal, tick.symbol, tick.ts_ns) for tick in ticks] == [(1, "A", START_NS), (2, "B", START_NS + 1)]
    assert server.headers == ["application/msgpack"]
    assert server.received == [
        {"action": "auth", "key": KEY, "secret": SECRET},
        {"action": "subscribe", "quotes": ["A", "B"], "trades": ["A", "B"]},
    ]
    assert feed.counts.received == {"trades": 1, "quotes": 1, "notices": 0}
    assert feed.gaps == []
    assert server.errors == []


def test_a_lost_connection_is_made_again_and_leaves_a_gap() -> None:
    with AlpacaServer(
        send_after_subscribing(trade("A", START_NS), stay=False), send_after_subscribing(trade("B", START_NS))
    ) as server:
        feed = make_feed(server)
        frames = frames_of(feed, feed._clock)

        ticks = until(frames, lambda seen: len(seen) >= 2)
        frames.close()

    assert [(tick.ordinal, tick.symbol) for tick in ticks] == [(1, "A"), (2, "B")]
    assert feed.connection.reconnects == 1
    (gap,) = feed.gaps
    assert ticks[0].received_ns <= gap.from_ns <= gap.to_ns
    assert "closed" in gap.why
    subscriptions = [message for message in server.received if message["action"] == "subscribe"]
    assert subscriptions == [{"action": "subscribe", "quotes": ["A", "B"], "trades": ["A", "B"]}] * 2


def test_a_slow_client_error_is_counted_and_answered_with_a_new_connection_at_once() -> None:
    with AlpacaServer(failing(407, authenticated=True), send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock=ManualClock(), rng=random.Random(1))
        frames = frames_of(feed, feed._clock)

        until(frames, lambda seen: len(seen) >= 1)
        frames.close()

    assert feed.health.slow_clients == 1
    assert feed.connection.reconnects == 1


@pytest.mark.parametrize("code", [404, 406, 500])
def test_an_error_that_heals_is_waited_out(code: int) -> None:
    clock = ManualClock()
    with AlpacaServer(failing(code), send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock, rng=random.Random(1))
        frames = frames_of(feed, feed._clock)

        until(frames, lambda _: bool(feed.connection.last_end))
        assert str(code) in feed.take_notes()[0].text
        next(frames)
        connections_before = server.connections
        clock.now_ns += 2 * NS
        until(frames, lambda seen: len(seen) >= 1)
        frames.close()

    assert (connections_before, server.connections) == (1, 2)


@pytest.mark.parametrize(("code", "fault"), [(402, CredentialsError), (409, CredentialsError), (405, RunFailed)])
def test_an_error_that_does_not_heal_ends_the_feed(code: int, fault: type[Exception], caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    with AlpacaServer(failing(code)) as server:
        feed = make_feed(server)

        with pytest.raises(fault) as caught:
            until(frames_of(feed, feed._clock), lambda _: False)

    told = f"{caught.value!r} {caught.value} {feed!r} {feed} {feed.take_notes()} {feed.health}"
    told += feed.connection.last_end
    told += "".join(record.getMessage() for record in caplog.records if record.name != "websockets.server")
    assert KEY not in told
    assert SECRET not in told
    assert server.connections == 1


def test_keys_are_requested_before_anything_is_connected() -> None:
    with pytest.raises(CredentialsError, match="ALPACA_API_KEY"):
        AlpacaFeed("ws://nowhere/v2/iex", "", "", channels=BOTH, clock=SystemClock(), session_clock="real")


def test_keys_are_for_this_machine_or_for_encrypted_ways() -> None:
    options: dict[str, Any] = {"channels": BOTH, "clock": SystemClock(), "session_clock": "real"}

    with pytest.raises(PlanError, match="key and secret would go unencrypted to another machine"):
        AlpacaFeed("ws://stream.example/v2/iex", KEY, SECRET, **options)

    AlpacaFeed("ws://stream.example/v2/iex", KEY, SECRET, **options, allow_plain=True)
    AlpacaFeed("wss://stream.example/v2/iex", KEY, SECRET, **options)


def test_no_redirect_is_followed() -> None:
    with AlpacaServer(subscribe_only) as elsewhere, AlpacaServer(subscribe_only) as server:
        server.redirect = elsewhere.url
        feed = make_feed(server)

        with pytest.raises(RunFailed, match="HTTP 302"):
            until(frames_of(feed, feed._clock), lambda _: False)

    assert elsewhere.connections == 0
    assert server.received == elsewhere.received == []


def test_a_mute_connection_is_made_again() -> None:
    clock = ManualClock()
    with AlpacaServer(subscribe_only, send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected)

        clock.now_ns += int((feed.connection.mute_s + 1) * NS)
        until(frames, lambda seen: len(seen) >= 1)
        frames.close()

    assert feed.health.mutes == 1
    assert feed.connection.reconnects == 1
    assert [(gap.from_ns, gap.to_ns) for gap in feed.gaps] == [(START_NS, START_NS + 31 * NS)]
    assert "mute" in feed.gaps[0].why


def test_out_of_session_silence_is_no_fault() -> None:
    clock = ManualClock()
    with AlpacaServer(subscribe_only) as server:
        feed = make_feed(server, clock, is_open=lambda _: False)
        feed.connection.mute_s = 5.0
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected)

        for _ in range(4):
            clock.now_ns += 6 * NS
            next(frames)
        frames.close()

    assert feed.health.mutes == 0
    assert feed.connection.reconnects == 0


def test_a_market_that_was_closed_is_not_mute_at_its_first_second() -> None:
    clock = ManualClock()
    with AlpacaServer(subscribe_only) as server:
        feed = make_feed(
            server, clock, timeout_ns=PATIENT_NS, is_open=lambda session_ns: session_ns >= START_NS + 100 * NS
        )
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected)

        clock.now_ns += 90 * NS
        _pass(frames, clock, 39)
        before = feed.health.mutes
        _pass(frames, clock, 2)
        frames.close()

    assert (before, feed.health.mutes) == (0, 1)


def test_hours_are_those_of_the_data_of_a_feed_that_is_late_by_design() -> None:
    clock = ManualClock()
    with AlpacaServer(subscribe_only) as server:
        feed = make_feed(server, clock, timeout_ns=PATIENT_NS, is_open=lambda session_ns: session_ns >= START_NS)
        feed.expect_delay(900 * NS)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected)

        _pass(frames, clock, 900 + 29)
        before = feed.health.mutes
        _pass(frames, clock, 2)
        frames.close()

    assert (before, feed.health.mutes) == (0, 1)


def test_a_market_that_stays_silent_is_reconnected_at_growing_distances() -> None:
    clock = ManualClock()
    with AlpacaServer(subscribe_only) as server:
        feed = make_feed(server, clock, timeout_ns=PATIENT_NS)
        frames = frames_of(feed, feed._clock)
        mutes_ns = []
        for _ in range(1_000):
            if len(mutes_ns) == 4:
                break
            until(frames, lambda _: feed.connection.connected)
            before = feed.health.mutes
            _pass(frames, clock, 1)
            if feed.health.mutes > before:
                mutes_ns.append(clock.now_ns)
        frames.close()

    distances_s = [round((later - earlier) / NS) for earlier, later in pairwise(mutes_ns)]
    assert [distance_s // 60 for distance_s in distances_s] == [1, 2, 4]
    assert server.connections <= 5


def test_a_silence_as_long_as_earlier_ones_that_ended_is_usual() -> None:
    more, clock = threading.Semaphore(0), ManualClock()

    async def script(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        for _ in range(3):
            while not more.acquire(blocking=False):
                await client.server.pause()
            await client.send(trade("A", clock.now_ns))
        await client.stay()

    with AlpacaServer(script) as server:
        feed = make_feed(server, clock, timeout_ns=PATIENT_NS)
        frames = frames_of(feed, feed._clock)
        for _ in range(3):
            more.release()
            until(frames, lambda seen: len(seen) >= 1)
            _pass(frames, clock, 25)
        _pass(frames, clock, 45)
        usual = feed.health.mutes
        _pass(frames, clock, 6)
        frames.close()

    assert (usual, feed.health.mutes) == (0, 1)


def _pass(frames: Iterator[Frame], clock: ManualClock, seconds: int) -> None:
    """Let so many seconds pass, with a look at the socket in each."""
    patience_s, clock.patience_s = clock.patience_s, 0.0
    for _ in range(seconds):
        clock.now_ns += NS
        while next(frames).mark:
            pass
    clock.patience_s = patience_s


def test_every_second_is_marked_once_and_in_order_ticks_before_their_mark() -> None:
    clock = ManualClock(START_NS + 1)
    with AlpacaServer(send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock, stop_ns=START_NS + 4 * NS)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda seen: len(seen) >= 1)

        clock.now_ns = START_NS + 2 * NS
        marks = [next(frames), next(frames)]
        clock.now_ns = START_NS + 60 * NS
        marks += frames

    assert [(frame.session_ns, frame.mark) for frame in marks if frame.mark] == [
        (START_NS + second * NS, True) for second in (1, 2, 3, 4)
    ]


def test_lag_and_read_age_are_those_of_the_frame() -> None:
    clock = ManualClock()

    async def script(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.send(*[trade("A", START_NS - ms * 1_000_000) for ms in (20, 30, 5000)])
        await client.acknowledge()
        await client.send(trade("A", START_NS - 50_000_000))
        await client.stay()

    with AlpacaServer(script) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        first = next(frame for frame in frames if frame.ticks)
        feed.subscribe(["C"])
        second = next(frame for frame in frames if frame.ticks)
        age_ns = feed.read_age_ns
        empty = next(frame for frame in frames if not frame.ticks)
        frames.close()

    assert (first.lag_ns, second.lag_ns, empty.lag_ns) == (30_000_000, 50_000_000, None)
    assert age_ns == 20_000_000
    assert feed.read_age_ns == 0


def test_session_time_follows_a_venue_to_its_end() -> None:
    day_ns = 1_381_152_600 * NS
    state = {"state": "playing", "session_ns": day_ns + NS // 2}

    async def script(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.send(trade("A", day_ns))
        state.update(state="ended", session_ns=day_ns + 3 * NS + 1)

    with AlpacaServer(script, clock=lambda: {"wall_ns": START_NS, "speed": 2.0, **state}) as server:
        feed = make_feed(server, ManualClock(), session_clock="venue", rng=random.Random(1))

        frames = list(frames_of(feed, feed._clock))

    assert [tick.symbol for frame in frames for tick in frame.ticks] == ["A"]
    marks = [frame.session_ns for frame in frames if frame.mark]
    assert marks == [day_ns + second * NS for second in (1, 2, 3, 4)]
    assert feed.gaps == []


def test_a_venue_without_a_clock_is_a_clear_fault() -> None:
    with AlpacaServer(subscribe_only) as server:
        url = server.url
    feed = AlpacaFeed(url, KEY, SECRET, channels=BOTH, clock=SystemClock(), session_clock="venue")

    with pytest.raises(RunFailed, match=r"venue clock http://127\.0\.0\.1:\d+/clock"):
        next(frames_of(feed, feed._clock))


def test_a_resumed_feed_leaves_no_second_out_and_tells_the_time_between_as_a_gap() -> None:
    clock = ManualClock(START_NS + 5 * NS + NS // 2)
    with AlpacaServer(send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock, resume=FeedPosition(START_NS + 2 * NS), first_ordinal=7 << 40)
        frames = frames_of(feed, feed._clock)
        at_once = [next(frames) for _ in range(3)]

        before = feed.take_gaps()
        ticks = until(frames, lambda seen: len(seen) >= 1)
        after = feed.take_gaps()
        clock.now_ns += NS
        later = next(frames)
        frames.close()

    assert [(frame.session_ns, frame.mark) for frame in at_once] == [
        (START_NS + second * NS, True) for second in (3, 4, 5)
    ]
    assert (later.session_ns, later.mark) == (START_NS + 6 * NS, True)
    assert [tick.ordinal for tick in ticks] == [7 << 40]
    assert before == []
    assert [(gap.from_ns, gap.to_ns, gap.why) for gap in after] == [
        (START_NS + 2 * NS, START_NS + 5 * NS + NS // 2, "the producer was restarted")
    ]
    assert feed.gaps == after
    assert feed.take_gaps() == []


def test_the_outage_of_a_producer_that_died_in_it_is_continued_by_its_successor() -> None:
    clock = ManualClock(START_NS + 9 * NS)
    with AlpacaServer(send_after_subscribing(trade("A", START_NS))) as server:
        health = FeedHealth(subscribed=True, outages=2, down_from_ns=START_NS + 3 * NS, down_why="closed")
        feed = make_feed(server, clock, resume=FeedPosition(START_NS + 8 * NS, health=health))
        frames = frames_of(feed, feed._clock)
        until(frames, lambda seen: len(seen) >= 1)
        frames.close()

    assert [(gap.from_ns, gap.to_ns, gap.why) for gap in feed.gaps] == [
        (START_NS + 3 * NS, START_NS + 9 * NS, "closed")
    ]
    assert (feed.health.outages, feed.health.up, feed.health.down_from_ns) == (3, True, None)


def test_what_is_refused_by_a_venue_that_then_closes_is_known() -> None:
    async def refuse_and_close(client: Client) -> None:
        await client.greet()
        for _ in range(3):
            await client.acknowledge(leave_out=["B"])
        await client.websocket.close(1001)

    with AlpacaServer(refuse_and_close, subscribe_only) as server:
        feed = make_feed(server, ManualClock(), rng=random.Random(1))
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: bool(feed.down_why))
        refused = feed.health.refused
        frames.close()

    assert refused == {"trades": ["B"], "quotes": ["B"]}
    assert sum("does not grant" in note.text for note in feed.take_notes()) == 2


def test_symbols_that_are_granted_later_are_refused_no_longer() -> None:
    async def refuse_and_close(client: Client) -> None:
        await client.greet()
        for _ in range(3):
            await client.acknowledge(leave_out=["B"])
        await client.send(trade("A", START_NS))
        await client.websocket.close(1001)

    with AlpacaServer(refuse_and_close, send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, ManualClock())
        frames = frames_of(feed, feed._clock)
        until(frames, lambda seen: len(seen) >= 2)
        frames.close()

    assert feed.health.refused == {}
    assert [note.text.partition(": ")[2] for note in feed.take_notes() if "refused" in note.text] == [
        "no longer refused: the quotes of B",
        "no longer refused: the trades of B",
    ]


def test_a_connection_lost_before_the_subscription_stands_does_not_end_the_gap_of_a_restart() -> None:
    clock = ManualClock(START_NS + 5 * NS)
    with AlpacaServer(failing(500), send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock, resume=FeedPosition(START_NS))
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: bool(feed.connection.last_end))
        assert feed.gaps == []

        clock.now_ns += 3 * NS
        until(frames, lambda seen: len(seen) >= 1)
        frames.close()

    assert [(gap.from_ns, gap.to_ns, gap.why) for gap in feed.take_gaps()] == [
        (START_NS, START_NS + 8 * NS, "the producer was restarted")
    ]


def test_a_gap_before_and_one_after_are_taken_one_after_the_other() -> None:
    clock = ManualClock(START_NS + NS)
    scripts = [send_after_subscribing(trade("A", START_NS), stay=False), send_after_subscribing(trade("B", START_NS))]
    with AlpacaServer(*scripts) as server:
        feed = make_feed(server, clock, resume=FeedPosition(START_NS))
        frames = frames_of(feed, feed._clock)
        until(frames, lambda seen: len(seen) >= 1)
        first = feed.take_gaps()
        until(frames, lambda seen: len(seen) >= 1)
        second = feed.take_gaps()
        frames.close()

    assert [gap.why for gap in first] == ["the producer was restarted"]
    assert ["closed" in gap.why for gap in second] == [True]
    assert feed.gaps == first + second


def test_a_session_that_ended_while_the_producer_was_dead_is_marked_to_its_end_and_a_gap() -> None:
    clock = ManualClock(START_NS + 60 * NS)
    with AlpacaServer(subscribe_only) as server:
        feed = make_feed(server, clock, resume=FeedPosition(START_NS), stop_ns=START_NS + 3 * NS)

        frames = list(frames_of(feed, feed._clock))

    assert [(frame.session_ns, frame.mark) for frame in frames] == [
        (START_NS + second * NS, True) for second in (1, 2, 3)
    ]
    assert [(gap.from_ns, gap.to_ns) for gap in feed.take_gaps()] == [(START_NS, START_NS + 3 * NS)]


def test_a_venue_that_ended_while_the_producer_was_dead_has_left_a_gap() -> None:
    reading = {"wall_ns": START_NS, "speed": 1.0, "state": "ended", "session_ns": START_NS + 2 * NS + NS // 2}
    with AlpacaServer(send_after_subscribing(stay=False), clock=lambda: reading) as server:
        feed = make_feed(
            server, ManualClock(), session_clock="venue", resume=FeedPosition(START_NS), rng=random.Random(1)
        )

        frames = list(frames_of(feed, feed._clock))

    assert [frame.session_ns for frame in frames if frame.mark] == [START_NS + second * NS for second in (1, 2, 3)]
    assert [(gap.from_ns, gap.to_ns) for gap in feed.take_gaps()] == [(START_NS, START_NS + 2 * NS + NS // 2)]


def test_session_time_does_not_go_back_when_a_venues_clock_is_behind_the_last_mark() -> None:
    with AlpacaServer(send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, ManualClock(START_NS + NS // 2), resume=FeedPosition(START_NS + NS))
        frames = frames_of(feed, feed._clock)

        frame = next(frame for frame in frames if frame.ticks)
        frames.close()

    assert (frame.session_ns, frame.mark) == (START_NS + NS, False)
    assert [(gap.from_ns, gap.to_ns) for gap in feed.gaps] == [(START_NS + NS, START_NS + NS)]


def test_ticks_read_with_a_mark_and_not_taken_before_the_stop_are_skipped() -> None:
    sent = threading.Semaphore(0)

    async def script(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        for number in range(MAX_FRAMES):
            await client.send(trade("A", START_NS + number, i=number), quote("A", START_NS + number))
            sent.release()
            await asyncio.sleep(0)

    clock = ManualClock()
    with AlpacaServer(script) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        seen = until(frames, lambda seen: len(seen) >= 2)
        for _ in range(MAX_FRAMES):
            sent.acquire(timeout=10)
            clock.now_ns += NS
            frame = next(frames)
            seen += frame.ticks
            if frame.mark and sum(feed.counts.received.values()) > len(seen):
                break
        frames.close()

    assert sum(feed.counts.received.values()) == len(seen)
    assert min(feed.counts.skipped[kind] for kind in ("trades", "quotes")) > 0
