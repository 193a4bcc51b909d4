"""A live session before its start time: no marks and no ticks."""

from collections.abc import Iterator
from typing import Any

from alpaca_server import NS, AlpacaServer, Client, trade

from desk.feeds.live.socket_feed import AHEAD_NS
from desk.model.ticks import Frame
from desk.venues.alpaca.market import AlpacaFeed

NOW_NS = 1_800_000_000 * NS
MAX_FRAMES = 20_000


class ManualClock:
    """Wall time that passes in sleep, and by what a test adds."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS
        self.slept: list[float] = []

    def wall_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += int(seconds * NS)


def make_feed(url: str, clock: ManualClock, start_ns: int, **more: Any) -> AlpacaFeed:
    options: dict[str, Any] = {"channels": frozenset({"trades"}), "session_clock": "real"} | more
    feed = AlpacaFeed(url, "key", "secret", clock=clock, start_ns=start_ns, **options)
    feed.patience_s = 0.01
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
        frames = feed.frames()

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
    assert feed.counts.skipped == {"trades": 1, "quotes": 0}
    assert feed.counts.received == {"trades": 1, "quotes": 0}
    assert feed.gaps == []


def test_it_connects_a_minute_before_the_start_and_sleeps_no_longer_than_its_patience() -> None:
    clock = ManualClock()
    start_ns = NOW_NS + AHEAD_NS + 5 * NS
    feed = make_feed("ws://127.0.0.1:9/v2/sip", clock, start_ns)
    frames = feed.frames()

    waiting = taken(frames, lambda _: clock.now_ns >= start_ns - AHEAD_NS)
    unconnected = feed.last_end
    taken(frames, lambda _: feed.last_end)
    frames.close()

    assert unconnected == ""
    assert feed.last_end.startswith("no connection")
    assert all((frame.ticks, frame.mark) == ([], False) for frame in waiting)
    assert max(clock.slept) <= 0.01


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
        frames = feed.frames()

        taken(frames, lambda _: feed.last_end)
        clock.now_ns += 20 * NS
        taken(frames, lambda _: feed.reconnects == 1 and feed.connected)
        frames.close()

    assert feed.gaps == []


def test_a_venue_that_plays_only_for_those_who_listen_is_connected_to_at_once() -> None:
    clock = ManualClock()
    start_ns = NOW_NS + 3_600 * NS
    state = {"session_ns": NOW_NS, "wall_ns": NOW_NS, "speed": 1.0, "state": "playing"}
    with AlpacaServer(one_trade, clock=lambda: state) as server:
        feed = make_feed(server.url, clock, start_ns, session_clock="venue")
        frames = feed.frames()

        taken(frames, lambda _: feed.counts.skipped["trades"])
        state |= {"state": "ended"}
        clock.now_ns += 5 * NS
        rest = taken(frames, lambda seen: seen and feed._session.ended)
        clock.now_ns += 5 * NS
        rest += list(frames)

    assert not any(frame.mark or frame.ticks for frame in rest)
