"""Feeds connected to an `AlpacaServer`, a clock that a test sets, and scripts for the server."""

import random
from collections.abc import Callable, Iterator, Sequence
from select import select
from typing import Any

from alpaca_server import NS, AlpacaServer, Client, Script

from desk.model.ticks import Frame, Tick
from desk.process.clock import SystemClock
from desk.venues.alpaca.market import AlpacaFeed

KEY, SECRET = "the-key-itself", "the-secret-itself"
BOTH = frozenset({"trades", "quotes"})
START_NS = 1_700_000_000 * NS
MAX_FRAMES = 20_000


class ManualClock:
    """Wall time that stands still until it is moved; a wait for descriptors takes real time."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self.now_ns = now_ns
        self.patience_s = 0.01

    def wall_ns(self) -> int:
        return self.now_ns

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        if not descriptors:
            self.now_ns = max(self.now_ns, until_ns)
        elif until_ns:
            select(descriptors, (), (), self.patience_s)


class ZeroJitter(random.Random):
    """Jitter of 0: reconnects without a wait."""

    def random(self) -> float:
        return 0.0


def make_feed(server: AlpacaServer, clock: Any = None, **more: Any) -> AlpacaFeed:
    options: dict[str, Any] = {"channels": BOTH, "session_clock": "real", "rng": ZeroJitter()} | more
    feed = AlpacaFeed(server.url, KEY, SECRET, clock=clock or SystemClock(), **options)
    feed.subscribe(["A", "B"])
    return feed


def until(frames: Iterator[Frame], done: Callable[[list[Tick]], bool]) -> list[Tick]:
    """Read frames until `done` is true of all ticks read; fail after MAX_FRAMES."""
    ticks: list[Tick] = []
    for _ in range(MAX_FRAMES):
        if done(ticks):
            return ticks
        ticks += next(frames).ticks
    raise AssertionError(f"not done after {MAX_FRAMES} frames: {len(ticks)} ticks")


async def subscribe_only(client: Client) -> None:
    await client.greet()
    await client.acknowledge()
    await client.stay()


def send_after_subscribing(*messages: dict[str, Any], stay: bool = True) -> Script:
    async def script(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.send(*messages)
        if stay:
            await client.stay()

    return script
