"""A scripted venue on loopback, and a whole desk on it in one process: feed, lanes, shards, engines, risk gate.

The venue runs in the feed's own event loop, on real sockets. Time is the test's: it passes only where a script says so.
"""

import asyncio
import hashlib
import socket
import struct
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
from msgspec.msgpack import Ext
from pipeline_parts import NO_PARAMS, Book, Desk, Listening, Store

from desk import strategy
from desk.brokers.simulated import SimulatedVenue
from desk.engine import Engine, EngineConfig, StrategyEntry
from desk.feeds.alpaca import AlpacaFeed
from desk.feeds.connection import Connection
from desk.flow import LaneConfig
from desk.model.hours import TradingDay
from desk.model.orders import OrderEvent
from desk.model.units import DAY_NS, MS_NS, SECOND_NS
from desk.orders import OrderManager
from desk.pipeline.feed_watch import WatchConfig
from desk.pipeline.intake import Intake, IntakeConfig
from desk.pipeline.local import LocalBroker, LocalKeeper, LocalScanners
from desk.pipeline.scanning import Scanning
from desk.pipeline.shard import Shard, ShardConfig
from desk.pipeline.subscriptions import Subscriptions
from desk.risk import RiskGate, RiskLimits
from desk.routing import RoutingTable
from desk.strategy import Context

MIDNIGHT_NS = 1_700_006_400 * SECOND_NS
START_NS = MIDNIGHT_NS + DAY_NS // 2
HOURS = TradingDay(MIDNIGHT_NS, MIDNIGHT_NS, MIDNIGHT_NS + DAY_NS, MIDNIGHT_NS + DAY_NS)
MAX_AGE_S = 10
SETTLE_FRAMES = 3
MOST_FRAMES = 300
"""Quiet frames between two steps of a script: at least, and at most where something is still under way."""
MAX_LOOKS = 3_000_000
"""So often the clock may be looked at in one run: what never ends looks at it for ever."""
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class HandClock:
    """Wall time that passes where a script says so."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.stepped_ns = 0
        self.looks = 0

    def wall_ns(self) -> int:
        self.looks += 1
        if self.looks > MAX_LOOKS:
            raise AssertionError("the run does not end")
        return self.now_ns

    def step_ns(self) -> int:
        return self.stepped_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)


class NoWait(Random):
    """Waits of nothing."""

    def random(self) -> float:
        return 0.0


class QuickFeed(AlpacaFeed):
    """A feed that waits a millisecond at most."""

    @property
    def patience_s(self) -> float:  # type: ignore[override]
        return 0.001

    @patience_s.setter
    def patience_s(self, seconds: float) -> None:
        pass


def stamp(time_ns: int) -> Ext:
    seconds, nanos = divmod(time_ns, SECOND_NS)
    return Ext(-1, struct.pack(">Iq", nanos, seconds))


def frame(payload: bytes, opcode: int = BINARY, *, fin: bool = True) -> bytes:
    """A websocket frame of the server's."""
    head = bytes([opcode | (0x80 if fin else 0)])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return head + b"\x7e" + struct.pack(">H", len(payload)) + payload
    return head + b"\x7f" + struct.pack(">Q", len(payload)) + payload


def packed(*messages: Any) -> bytes:
    return frame(msgspec.msgpack.encode(list(messages)))


def trade(time_ns: int, symbol: str = "A", **more: Any) -> dict[str, Any]:
    return {"T": "t", "S": symbol, "p": 10.0, "s": 100, "t": stamp(time_ns), "i": 0, **more}


def quote(time_ns: int, symbol: str = "A", **more: Any) -> dict[str, Any]:
    sides = {"bp": 9.99, "bs": 100, "ap": 10.01, "as": 100}
    return {"T": "q", "S": symbol, "t": stamp(time_ns), **sides, **more}


class Peer(asyncio.Protocol):
    """The venue's side of one connection: it opens the websocket, greets, and grants what is asked, unless told not."""

    def __init__(self, venue: "Venue") -> None:
        self.venue = venue
        self.transport: Any = None
        self.request = b""
        self.inbox = bytearray()
        self.is_open = False
        self.settled = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.venue.connections += 1
        self.venue.peer = self
        self.venue.peers.append(self)
        self.venue.unread = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = self.settled = False

    def send(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.venue.unread += len(data)
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.is_open:
            self.inbox += data
            self._read()
            return
        self.request += data
        if b"\r\n\r\n" not in self.request:
            return
        answer = self.venue.handshake
        if answer is not None:
            self.send(answer)
            return
        key = next(line.split(b": ")[1] for line in self.request.split(b"\r\n") if b"-Key" in line)
        accept = b64encode(hashlib.sha1(key + GUID).digest())
        self.is_open = True
        self.send(
            b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept
            + b"\r\n\r\n"
            + packed({"T": "success", "msg": "connected"})
        )

    def _read(self) -> None:
        """Take the client's masked frames apart."""
        while len(self.inbox) >= 6:
            length, at = self.inbox[1] & 127, 2
            if length == 126:
                length, at = int.from_bytes(self.inbox[2:4], "big"), 4
            if len(self.inbox) < at + 4 + length:
                return
            mask, body = self.inbox[at : at + 4], self.inbox[at + 4 : at + 4 + length]
            opcode = self.inbox[0] & 15
            del self.inbox[: at + 4 + length]
            plain = bytes(byte ^ mask[n % 4] for n, byte in enumerate(body))
            if opcode in (TEXT, BINARY):
                self._answer(msgspec.msgpack.decode(plain) if plain[:1] != b"{" else msgspec.json.decode(plain))

    def _answer(self, message: dict[str, Any]) -> None:
        if message["action"] == "auth":
            self.send(packed({"T": "success", "msg": "authenticated"}))
        elif self.venue.grants:
            self.settled = True
            asked = {channel: list(message.get(channel, [])) for channel in ("trades", "quotes")}
            self.send(packed({"T": "subscription", **asked}))


class Venue:
    """Listens on loopback in the feed's loop. `handshake` is what it answers instead of opening a websocket."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.socket.getsockname()[1]}/v2/test"
        self.connections = 0
        self.unread = 0
        self.peer: Peer | None = None
        self.peers: list[Peer] = []
        self.handshake: bytes | None = None
        self.grants = True
        self.server: asyncio.Server | None = None

    @property
    def settled(self) -> bool:
        """Whether a connection stands whose subscription was granted."""
        return self.peer is not None and self.peer.settled

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        self.server = loop.run_until_complete(loop.create_server(lambda: Peer(self), sock=self.socket))

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave nothing in the loop."""
        if self.server is not None:
            self.server.close()
        accepting = [task for task in asyncio.all_tasks(loop) if "accept" in repr(task.get_coro())]
        if accepting:
            loop.run_until_complete(asyncio.wait(accepting))
        for peer in self.peers:
            peer.transport.abort()
        loop.run_until_complete(asyncio.sleep(0))

    def write(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.send(data)

    @property
    def busy(self) -> bool:
        """Whether something is under way that the desk has not read, or not answered."""
        peer = self.peer
        if peer is None or peer.transport.is_closing():
            return False
        return self.unread > 0 or (self.grants and self.handshake is None and not peer.settled)

    def drop(self, *, reset: bool) -> None:
        """End the connection: with what is written, or at once."""
        if self.peer is not None:
            self.peer.is_open = self.peer.settled = False
            (self.peer.transport.abort if reset else self.peer.transport.close)()


class Trading(strategy.Strategy):
    """Enters at every second."""

    def on_second(self, ctx: Context) -> None:
        ctx.buy(1.0)


Step = Callable[["LiveDesk"], Any]


@dataclass
class LiveDesk(Desk):
    """A desk on a live feed, whose venue follows a script: one step between frames, each followed by quiet ones."""

    source: Any = None
    always: Sequence[str] = ("A", "B")
    script: Sequence[Step] = ()
    venue: Venue = field(default_factory=Venue)

    def __post_init__(self) -> None:
        self.clock: Any = HandClock()
        self.store, self.book = Store(), Book()
        limits = RiskLimits(max_orders_per_minute=10**6, max_position_notional=1e12, max_gross_notional=1e12)
        self.manager = OrderManager("day", RiskGate(limits), self.book, SimulatedVenue())
        broker = LocalBroker(self.manager, self._deliver)
        self.strategies = [StrategyEntry("trading", lambda: Trading(NO_PARAMS))]
        self.consumers = {number: self._shard(number, broker) for number in range(self.shards)}
        self.wire = Listening(self.consumers)
        live = QuickFeed(
            self.venue.url,
            "key",
            "secret",
            channels=frozenset({"trades", "quotes"}),
            clock=self.clock,
            session_clock="real",
            start_ns=START_NS,
            stop_ns=HOURS.end_ns,
            hours=HOURS,
            rng=NoWait(),
        )
        self.venue.listen(live._socket._loop)
        self._count_reads(live)
        self.live = self.feed = live  # type: ignore[assignment]
        lane = LaneConfig("producer", 1, 1_000, 4, 0, 5_000 * MS_NS, 500, MAX_AGE_S * SECOND_NS, lossless=False)
        self.intake = Intake(
            IntakeConfig(1, False, START_NS, MAX_AGE_S * SECOND_NS, SECOND_NS, watch=WatchConfig(hours=HOURS)),
            live,
            RoutingTable.even(range(self.shards)),
            lane,
            self.wire,
            broker,
            LocalScanners(Scanning(None, (), START_NS)),  # type: ignore[arg-type]
            LocalKeeper(self.store),
            self.clock,
            Subscriptions(tuple(self.always)),
            live=live,
        )
        self.unsettled_ns: int | None = START_NS
        self.stale_ns: int | None = None
        self.sent: tuple[Peer | None, int | None] | None = None
        self.forged = False
        self.faults: list[str] = []
        self._judged = 0
        self._quiet = 0
        self._reached_ns = 0
        self._steps = iter(self.script)

    def _count_reads(self, live: AlpacaFeed) -> None:
        """Let the venue know what the desk has read of it."""
        connect = live._socket._new_connection

        def connected() -> Connection:
            connection = connect()
            read = connection.data_received

            def counted(data: bytes) -> None:
                self.venue.unread -= len(data)
                read(data)

            connection.data_received = counted  # type: ignore[method-assign]
            return connection

        live._socket._new_connection = connected  # type: ignore[method-assign]
        close = live._socket.close

        def closed() -> None:
            self.venue.close(live._socket._loop)
            close()

        live._socket.close = closed  # type: ignore[method-assign]

    def _shard(self, number: int, broker: LocalBroker) -> Shard:
        config = EngineConfig("day", START_NS, SECOND_NS, 900 * SECOND_NS, 10**12, hours=HOURS)
        engine = Engine(config, self.strategies, lambda: 0)
        return Shard(ShardConfig(number, 1, SECOND_NS, False), engine, self.clock, LocalKeeper(self.store), broker)

    def _deliver(self, events: Iterable[OrderEvent]) -> None:
        self.intake.deliver(events)

    def run(self) -> "LiveDesk":
        """Follow the script to its end, stop, and drain."""
        try:
            self.intake.play(self._show)
        finally:
            self.venue.socket.close()
        self._judge()
        return self

    def _show(self) -> None:
        self._judge()
        if self.venue.settled or self.forged:
            self.unsettled_ns = None
        elif self.unsettled_ns is None:
            self.unsettled_ns = self.session_ns
        if self.sent is not None and self.sent[0] is self.venue.peer and not self.venue.busy and self.live.connected:
            self.stale_ns, self.sent = self.sent[1], None
        self._quiet += 1
        if self.intake.session_ns != self._reached_ns:
            self._reached_ns, self._quiet = self.intake.session_ns, 0
        if self._quiet < SETTLE_FRAMES or (self.venue.busy and self._quiet < MOST_FRAMES):
            return
        self._quiet = 0
        step = next(self._steps, None)
        if step is None:
            self.intake.stop()
        else:
            step(self)

    def _judge(self) -> None:
        """Every entry that was accepted since the last look: no connection was missing, and no data old, for long."""
        verdicts = list(self.book.verdicts.values())
        for decision in verdicts[self._judged :]:
            if decision.outcome != "accepted":
                continue
            for what, since_ns in (("subscription", self.unsettled_ns), ("fresh tick", self.stale_ns)):
                if since_ns is not None and decision.intent.decision_ns - since_ns > (MAX_AGE_S + 1) * SECOND_NS:
                    self.faults.append(f"an entry at {decision.intent.decision_ns} without a {what} since {since_ns}")
        self._judged = len(verdicts)

    @property
    def session_ns(self) -> int:
        """Session time: what the machine's clock says."""
        return self.clock.now_ns + self.clock.stepped_ns  # type: ignore[no-any-return]

    @property
    def entries(self) -> int:
        """The number of entries accepted."""
        return sum(decision.outcome == "accepted" for decision in self.book.verdicts.values())


def write(data: bytes, parts: int = 1) -> list[Step]:
    """Send these bytes in so many parts, one between frames."""
    size = max(1, -(-len(data) // parts))
    return [
        lambda desk, part=data[at : at + size]: desk.venue.write(part)  # type: ignore[misc]
        for at in range(0, len(data), size)
    ]


def fresh(count: int = 1) -> Step:
    """Ticks of now."""

    def step(desk: LiveDesk) -> None:
        now_ns = desk.clock.now_ns
        ticks = [make(now_ns - n, symbol) for n in range(count) for make in (trade, quote) for symbol in "AB"]
        desk.venue.write(packed(*ticks))
        if desk.venue.settled:
            desk.sent, desk.stale_ns = None, None

    return step


def stale(age_s: float) -> Step:
    """Ticks of both symbols that are so old by the clock of the desk."""

    def step(desk: LiveDesk) -> None:
        then_ns = desk.session_ns - round(age_s * SECOND_NS)
        if then_ns >= MIDNIGHT_NS:  # older ticks are rejected, and change nothing
            # A venue that sends nothing more has nothing newer: its data do not grow older by that.
            desk.sent = (desk.venue.peer, then_ns if age_s > MAX_AGE_S else None)
        desk.venue.write(packed(*[make(then_ns, symbol) for make in (trade, quote) for symbol in "AB"]))

    return step


def advance(seconds: float) -> Step:
    def step(desk: LiveDesk) -> None:
        desk.clock.now_ns += round(seconds * SECOND_NS)

    return step


def forge(data: bytes, parts: int = 1) -> list[Step]:
    """Send bytes that may look like anything: fresh ticks, or a granted subscription."""

    def step(desk: LiveDesk) -> None:
        desk.forged, desk.sent, desk.stale_ns = True, None, None

    return [step, *write(data, parts)]


def drop(*, reset: bool) -> Step:
    def step(desk: LiveDesk) -> None:
        desk.venue.drop(reset=reset)
        desk.forged = False

    return step


def step_clock(seconds: float) -> Step:
    """Set this machine's clock."""

    def step(desk: LiveDesk) -> None:
        step_ns = round(seconds * SECOND_NS)
        desk.clock.stepped_ns += step_ns
        desk.unsettled_ns = None if desk.unsettled_ns is None else desk.unsettled_ns + step_ns
        desk.stale_ns = None if desk.stale_ns is None else desk.stale_ns + step_ns
        desk.sent = None

    return step


def answer(handshake: bytes | None, *, grants: bool = True) -> Step:
    """What the next connections get."""

    def step(desk: LiveDesk) -> None:
        desk.venue.handshake, desk.venue.grants = handshake, grants

    return step
