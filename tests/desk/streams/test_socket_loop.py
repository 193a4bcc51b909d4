"""The socket loop: bounded memory, retries, and early detection of a dead connection."""

import random
import threading

import msgspec
import pytest
from alpaca_feeds import START_NS, ManualClock, make_feed, send_after_subscribing, until
from alpaca_server import NS, AlpacaServer, Client, trade

from desk.feeds.frames import frames_of
from desk.model.errors import CredentialsError, PlanError, RunFailed
from desk.streams.backoff import FIRST_NS, LONGEST_NS, Backoff
from desk.streams.socket_loop import ANSWER_NS, PING_PART, TIMEOUT_NS, SocketLoop

MANY = 40
PING_NS = TIMEOUT_NS // PING_PART


def test_a_slow_reader_stops_the_venue_instead_of_buffering() -> None:
    sent = 0
    stalled = threading.Event()
    frame = msgspec.msgpack.encode([trade("A", START_NS)] * 1000)
    limit = 400

    async def flood(client: Client) -> None:
        nonlocal sent
        await client.greet()
        await client.acknowledge()
        transport = client.websocket.transport
        for _ in range(limit):
            await client.websocket.send(frame)
            sent += 1
            if transport.get_write_buffer_size():
                stalled.set()
        await client.stay()

    with AlpacaServer(flood) as server:
        feed = make_feed(server)
        frames = frames_of(feed, feed._clock)
        first = next(frame for frame in frames if frame.ticks)
        assert stalled.wait(10)
        sent_while_nobody_read = sent
        largest = len(first.ticks)
        total = len(first.ticks)
        while total < limit * 1000:
            taken = len(next(frames).ticks)
            largest = max(largest, taken)
            total += taken
        frames.close()

    assert sent_while_nobody_read < limit
    assert total == limit * 1000
    assert largest * len(frame) / 1000 < 1 << 20


def test_a_server_that_never_greets_is_left() -> None:
    async def mute(client: Client) -> None:
        await client.stay()

    clock = ManualClock()
    with AlpacaServer(mute, send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: server.connections == 1 and feed._socket.open)
        next(frames)

        clock.now_ns += ANSWER_NS
        until(frames, lambda seen: len(seen) >= 1)
        frames.close()

    assert feed.connection.reconnects == 1
    assert feed.gaps[0].why == "the venue owed the greeting for 10 s"


def test_a_peer_that_answers_no_ping_is_left() -> None:
    paused = threading.Event()

    async def deaf(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        client.websocket.transport.pause_reading()
        paused.set()
        await client.stay()

    clock = ManualClock()
    with AlpacaServer(deaf, send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock, is_open=lambda _: False)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected and paused.is_set())

        clock.now_ns += PING_NS
        next(frames)
        clock.now_ns += TIMEOUT_NS - PING_NS
        until(frames, lambda seen: len(seen) >= 1)
        frames.close()

    assert feed.gaps[0].why == "neither data nor a pong for 5 s"


def test_a_peer_that_answers_pings_is_kept() -> None:
    clock = ManualClock()
    with AlpacaServer(send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock, is_open=lambda _: False)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda seen: len(seen) >= 1)

        for _ in range(3):
            read_ns = feed._socket.read_ns
            clock.now_ns += PING_NS
            until(frames, lambda _, before=read_ns: feed._socket.read_ns > before)
        frames.close()

    assert feed.connection.reconnects == 0


@pytest.mark.parametrize(("path", "fault"), [("/forbidden", CredentialsError), ("/lost", RunFailed)])
def test_an_http_answer_instead_of_a_websocket_is_a_fault(path: str, fault: type[Exception]) -> None:
    statuses = {"/forbidden": 403, "/lost": 404}
    with AlpacaServer(send_after_subscribing(), statuses=statuses) as server:
        server.url = server.url.replace("/v2/test", path)
        feed = make_feed(server)

        with pytest.raises(fault, match=str(statuses[path])):
            until(frames_of(feed, feed._clock), lambda _: False)


def test_a_port_where_nothing_listens_is_tried_again() -> None:
    clock = ManualClock()
    with AlpacaServer(send_after_subscribing()) as server:
        pass
    feed = make_feed(server, clock)
    frames = frames_of(feed, feed._clock)

    until(frames, lambda _: bool(feed.connection.last_end))
    frames.close()

    assert "no connection" in feed.connection.last_end
    assert [(gap.from_ns, gap.why) for gap in feed.gaps] == [(START_NS, feed.connection.last_end)]
    assert [note.level for note in feed.take_notes()] == ["error"]
    assert not feed.health.subscribed


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(PlanError, match=r"feed\.url"):
        SocketLoop("http://x", None, ManualClock(), random.Random())  # type: ignore[arg-type]


def test_waits_are_drawn_below_a_ceiling_that_doubles_and_starts_over() -> None:
    class Highest(random.Random):
        def random(self) -> float:
            return 1.0

    backoff = Backoff(Highest())

    waits = [backoff.next_ns() for _ in range(MANY)]
    backoff.succeeded()

    assert waits[:7] == [NS, 2 * NS, 4 * NS, 8 * NS, 16 * NS, 32 * NS, LONGEST_NS]
    assert set(waits[7:]) == {LONGEST_NS}
    assert backoff.next_ns() == FIRST_NS
    assert Backoff(random.Random(3)).next_ns() < FIRST_NS
