"""A live session before its start time: no marks and no ticks."""

from collections.abc import Iterator, Sequence
from select import select
from typing import Any

from alpaca_server import NS, AlpacaServer, Client, trade

from desk.feeds.frames import frames_of
from desk.feeds.live.socket_feed import AHEAD_NS, CHECK_NS
from desk.model.ticks import Frame
from desk.venues.alpaca.market import AlpacaFeed

NOW_NS = 1_800_000_000 * NS
MAX_FRAMES = 20_000


class ManualClock:
    """Wall time that passes where only time is waited for, and by what a test adds."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS
        self.slept: list[float] = []

    def wall_ns(self) -> int:
        return self.now_ns

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        if descriptors and until_ns > self.now_ns:
            select(descriptors, (), (), (until_ns - self.now_ns) / NS)
        elif not descriptors and until_ns:
            self.slept.append((until_ns - self.now_ns) / NS)
            self.now_ns = max(self.now_ns, until_ns)


def make_feed(url: str, clock: ManualClock, start_ns: int, **more: Any) -> AlpacaFeed:
    options: dict[str, Any] = {"channels": frozenset({"trades"}), "session_clock": "real"} | more
    feed = AlpacaFeed(url, "key", "secret", clock=clock, start_ns=start_ns, **options)
    feed.subscribe(["A"])
    return feed


def taken(frames: Iterator[Frame], done: Any) -> list[Frame]:
    """Frames until `done` of all of them; fails after very many."""
    seen: list[Frame] = []
    for _ in range(MAX_FRAMES):
        if done(seen):
            return seen
        seen.append(next(frames))
    raise AssertionError(f"not done after {MAX_FRAMES} frames")


async def one_trade(client: Client) -> None:
    await client.greet()
    await client.acknowledge()
    await client.send(trade("A", NOW_NS, price=11.0))
    await client.receive()  # the test subscribes another symbol when the session has begun
    await client.send(trade("A", NOW_NS, price=12.0))
    await client.stay()


def test_ticks_before_the_start_are_skipped_and_the_first_mark_ends_its_first_second() -> None:
    clock = ManualClock()
    start_ns = NOW_NS + 10 * NS
    with AlpacaServer(one_trade) as server:
        feed = make_feed(server.url, clock, start_ns)
        frames = frames_of(feed, feed._clock)

        before = taken(frames, lambda _: feed.counts.skipped["trades"])
        clock.now_ns = start_ns
        feed.subscribe(["B"])
        after = taken(frames, lambda seen: any(frame.ticks for frame in seen))
        clock.now_ns = start_ns + 2 * NS
        marks = taken(frames, lambda seen: sum(frame.mark for frame in seen) == 2)
        frames.close()

    assert all((frame.ticks, frame.session_ns, frame.mark) == ([], start_ns, False) for frame in before)
    assert [tick.price for frame in after for tick in frame.ticks] == [12.0]  # type: ignore[union-attr]
    assert [frame.session_ns for frame in marks if frame.mark] == [start_ns + NS, start_ns + 2 * NS]
    assert feed.counts.skipped == {"trades": 1, "quotes": 0, "notices": 0}
    assert feed.counts.received == {"trades": 1, "quotes": 0, "notices": 0}
    assert feed.gaps == []


def test_it_connects_a_minute_before_the_start_and_checks_its_connection_each_50_ms() -> None:
    clock = ManualClock()
    start_ns = NOW_NS + AHEAD_NS + 5 * NS
    feed = make_feed("ws://127.0.0.1:9/v2/sip", clock, start_ns)
    frames = frames_of(feed, feed._clock)

    waiting = taken(frames, lambda _: clock.now_ns >= start_ns - AHEAD_NS - CHECK_NS)
    unconnected = feed.connection.last_end
    taken(frames, lambda _: feed.connection.last_end)
    frames.close()

    assert unconnected == ""
    assert feed.connection.last_end.startswith("no connection")
    assert all((frame.ticks, frame.mark) == ([], False) for frame in waiting)
    assert max(clock.slept) * NS <= CHECK_NS


def test_a_connection_that_is_lost_and_made_again_before_the_start_leaves_no_gap() -> None:
    async def leaving(client: Client) -> None:
        await client.greet()
        await client.acknowledge()

    async def staying(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.stay()

    clock = ManualClock()
    start_ns = NOW_NS + 30 * NS
    with AlpacaServer(leaving, staying) as server:
        feed = make_feed(server.url, clock, start_ns)
        frames = frames_of(feed, feed._clock)

        taken(frames, lambda _: feed.connection.last_end)
        clock.now_ns += 20 * NS
        taken(frames, lambda _: feed.connection.reconnects == 1 and feed.connection.connected)
        frames.close()

    assert feed.gaps == []


def test_a_venue_that_plays_only_for_those_who_listen_is_connected_to_at_once() -> None:
    clock = ManualClock()
    start_ns = NOW_NS + 3_600 * NS
    state = {"session_ns": NOW_NS, "wall_ns": NOW_NS, "speed": 1.0, "state": "playing"}
    with AlpacaServer(one_trade, clock=lambda: state) as server:
        feed = make_feed(server.url, clock, start_ns, session_clock="venue")
        frames = frames_of(feed, feed._clock)

        taken(frames, lambda _: feed.counts.skipped["trades"])
        state |= {"state": "ended"}
        clock.now_ns += 5 * NS
        rest = taken(frames, lambda seen: seen and feed._session.ended)
        clock.now_ns += 5 * NS
        rest += list(frames)

    assert not any(frame.mark or frame.ticks for frame in rest)
