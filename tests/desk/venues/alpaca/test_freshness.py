"""Whether a feed's data count as fresh, on real sockets and a manual clock."""

import threading

from alpaca_feeds import START_NS, ManualClock, make_feed, send_after_subscribing, subscribe_only, until
from alpaca_server import NS, AlpacaServer, Client, Script, trade

from desk.feeds.frames import frames_of
from desk.model.feed_health import Freshness
from desk.streams.socket_loop import PING_PART, TIMEOUT_NS
from desk.venues.alpaca.market import AlpacaFeed

PING_NS = TIMEOUT_NS // PING_PART
UNACKNOWLEDGED = "the subscription is not acknowledged"
DOWN = "the feed is down"


def fresh(feed: AlpacaFeed, clock: ManualClock) -> Freshness:
    return feed.freshness(clock.now_ns)


def acknowledging(release: threading.Event, *, ticks: bool = False) -> Script:
    """Authenticates, waits, and only then acknowledges; with `ticks` it sends one before."""

    async def script(client: Client) -> None:
        await client.greet()
        request = await client.receive()
        if ticks:
            await client.send(trade("A", START_NS))
        while not release.is_set():
            await client.websocket.ping()
            await client.server.pause()
        await client.send({"T": "subscription", "trades": request["trades"], "quotes": request["quotes"]})
        await client.stay()

    return script


def test_nothing_is_fresh_before_the_subscription_is_acknowledged_whatever_comes() -> None:
    release, clock = threading.Event(), ManualClock()
    with AlpacaServer(acknowledging(release, ticks=True)) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        next(frames)
        unconnected = fresh(feed, clock)
        until(frames, bool)
        clock.now_ns += 2 * NS
        waiting = fresh(feed, clock)
        release.set()
        until(frames, lambda _: feed.connection.connected)
        acknowledged = fresh(feed, clock)
        frames.close()

    assert unconnected.why in {DOWN, UNACKNOWLEDGED}
    assert waiting == Freshness(UNACKNOWLEDGED, 2 * NS)
    assert acknowledged.why == ""


def test_a_venue_that_never_acknowledges_is_an_outage_that_names_what_it_owes() -> None:
    release, clock = threading.Event(), ManualClock()
    with AlpacaServer(acknowledging(release)) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed._protocol.ready)
        clock.now_ns += TIMEOUT_NS
        until(frames, lambda _: bool(feed.down_why))
        why, gap, notes = feed.down_why, feed.open_gap(clock.now_ns), feed.take_notes()
        release.set()
        frames.close()

    assert why == "the venue still owed the answer to subscription request 1"
    assert gap is not None
    assert (gap.from_ns, gap.to_ns) == (START_NS, clock.now_ns)
    assert [note.level for note in notes] == ["error"]


def test_a_quiet_venue_that_answers_pings_stays_fresh_and_ages_no_longer_than_a_ping_takes() -> None:
    clock = ManualClock()
    with AlpacaServer(send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock, is_open=lambda _: False)
        frames = frames_of(feed, feed._clock)
        until(frames, bool)
        ages = []
        for _ in range(10):
            clock.now_ns += PING_NS
            ages.append(fresh(feed, clock))
            until(frames, lambda _: fresh(feed, clock).silent_ns == 0)
        frames.close()

    assert ages == [Freshness("", PING_NS)] * 10
    assert (feed.connection.reconnects, feed.gaps) == (0, [])


def test_data_alone_are_proof_enough() -> None:
    async def deaf(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        client.websocket.transport.pause_reading()
        while True:
            await client.send(trade("A", START_NS))
            await client.server.pause()

    clock = ManualClock()
    with AlpacaServer(deaf) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        until(frames, bool)
        for _ in range(20):
            clock.now_ns += NS
            until(frames, lambda _: fresh(feed, clock).silent_ns == 0)
        frames.close()

    assert feed.gaps == []


def test_bytes_that_never_become_a_message_are_no_proof() -> None:
    async def drip(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        client.websocket.transport.write(b"\x82\x7f" + (1 << 20).to_bytes(8))  # the head of a message of 1 MiB
        while not client.websocket.transport.is_closing():
            client.websocket.transport.write(b"x")
            await client.server.pause()

    clock = ManualClock()
    with AlpacaServer(drip, send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected)
        clock.now_ns += PING_NS
        next(frames)
        clock.now_ns += TIMEOUT_NS - PING_NS
        until(frames, bool)
        frames.close()

    assert [gap.why for gap in feed.gaps] == ["neither data nor a pong for 5 s"]


def test_a_process_that_was_stopped_reads_before_it_judges_and_its_late_marks_are_not_fresh() -> None:
    clock = ManualClock()
    with AlpacaServer(send_after_subscribing(trade("A", START_NS))) as server:
        feed = make_feed(server, clock, is_open=lambda _: False)
        frames = frames_of(feed, feed._clock)
        until(frames, bool)

        clock.now_ns += 20 * NS
        marks = [(frame.mark, fresh(feed, clock).silent_ns) for frame in (next(frames) for _ in range(20))]
        late = fresh(feed, clock)
        until(frames, lambda _: fresh(feed, clock).silent_ns == 0)
        frames.close()

    assert marks == [(True, 20 * NS)] * 20
    assert late.why == "neither data nor a pong for 20 s"
    assert (feed.connection.reconnects, feed.gaps) == (0, [])


def test_a_loss_opens_the_gap_at_once_and_the_return_closes_it() -> None:
    release, clock = threading.Event(), ManualClock()

    async def leave(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        while not release.is_set():
            await client.server.pause()

    with AlpacaServer(leave, subscribe_only) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected)
        before = feed.open_gap(clock.now_ns)
        release.set()
        until(frames, lambda _: bool(feed.down_why))
        clock.now_ns += NS
        lost, gap = fresh(feed, clock), feed.open_gap(clock.now_ns)
        until(frames, lambda _: feed.connection.connected)
        after = feed.open_gap(clock.now_ns)
        frames.close()

    assert before is None
    assert lost.why == DOWN
    assert lost.silent_ns == NS
    assert gap is not None
    assert (gap.from_ns, gap.to_ns) == (START_NS, START_NS + NS)
    assert after is None
    assert [(gap.from_ns, gap.to_ns) for gap in feed.take_gaps()] == [(START_NS, START_NS + NS)]


def test_a_later_request_that_waits_for_its_answer_leaves_the_others_fresh() -> None:
    clock = ManualClock()
    with AlpacaServer(subscribe_only) as server:
        feed = make_feed(server, clock)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected)

        feed.subscribe(["C"])
        next(frames)
        frames.close()

    assert feed._protocol.awaiting == "the answer to subscription request 2"
    assert fresh(feed, clock).why == ""


def test_a_connection_that_ends_with_its_authentication_was_not_subscribed() -> None:
    async def leave(client: Client) -> None:
        await client.send({"T": "success", "msg": "connected"})
        await client.receive()
        await client.send({"T": "success", "msg": "authenticated"}, {"T": "error", "code": 406, "msg": "limit"})
        await client.stay()

    with AlpacaServer(leave) as server:
        feed = make_feed(server, ManualClock())
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: bool(feed.connection.last_end))
        subscribed = feed.health.subscribed
        frames.close()

    assert not subscribed


def test_pongs_do_not_keep_a_feed_waiting_for_a_venue_that_has_ended_its_play() -> None:
    state = {"state": "playing", "session_ns": START_NS, "wall_ns": START_NS, "speed": 1.0}
    clock = ManualClock()
    with AlpacaServer(subscribe_only, clock=lambda: state) as server:
        feed = make_feed(server, clock, session_clock="venue", timeout_ns=NS // 2)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected)
        state["state"] = "ended"
        for _ in range(1000):  # far more than a second, in steps each of which brings a pong
            clock.now_ns += NS // 4
            before_ns = feed._socket.proof_ns
            while feed._socket.open and feed._socket.proof_ns == before_ns and next(frames, None) is not None:
                pass
            if feed.ended:
                break

    assert feed.ended


def test_a_quiet_venue_is_pinged_often_enough_for_the_limit_of_the_data_age() -> None:
    clock = ManualClock()
    with AlpacaServer(subscribe_only) as server:
        feed = make_feed(server, clock, is_open=lambda _: False)
        feed.keep_below(3 * NS // 2)
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: feed.connection.connected)
        clock.now_ns += NS // 2
        until(frames, lambda _: fresh(feed, clock).silent_ns == 0)
        frames.close()
