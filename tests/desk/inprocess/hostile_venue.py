"""A scripted venue on loopback, and a whole desk on it in one process.

The venue runs in the feed's own event loop, on real sockets. Time is the test's: it passes only where a script says so.
"""

import asyncio
import hashlib
import re
import socket
import struct
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from select import select
from typing import Any, Literal

import msgspec
from entry_oracle import EntryOracle
from memory_ledger import MemoryLedger
from msgspec.msgpack import Ext
from pipeline_parts import NO_PARAMS, MemoryDesk, MemoryKeeper, RecordingLinks

from desk import strategy
from desk.consumer.engine import Engine, EngineConfig, StrategyEntry
from desk.consumer.shard import Shard, ShardConfig
from desk.flow import LaneConfig
from desk.flow.routing_table import RoutingTable
from desk.inprocess.direct_calls import LocalBroker, LocalKeeper, LocalScanners
from desk.model.hours import TradingDay
from desk.model.units import DAY_NS, MS_NS, SECOND_NS
from desk.orders import OrderManager
from desk.process.mailbox import ProcessMailbox
from desk.producer.feed_watch.watch import FeedWatchConfig
from desk.producer.loop import ProducerLoop
from desk.producer.parts import Beginning, ProducerConfig, ProducerPorts
from desk.producer.subscriptions import Subscriptions
from desk.scanning.runner import ScannerRunner
from desk.strategy import Context
from desk.streams.websocket_connection import WebsocketConnection
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.alpaca.market import AlpacaFeed
from desk.venues.simulated import SimulatedVenue

MIDNIGHT_NS = 1_700_006_400 * SECOND_NS
START_NS = MIDNIGHT_NS + DAY_NS // 2
HOURS = TradingDay(MIDNIGHT_NS, MIDNIGHT_NS, MIDNIGHT_NS + DAY_NS, MIDNIGHT_NS + DAY_NS)
MAX_AGE_S = 10
TIMEOUT_S = 5
SETTLE_FRAMES = 3
MOST_FRAMES = 300
"""Quiet frames between two steps of a script: at least, and at most where something is still under way."""
MAX_LOOKS = 3_000_000
"""So often the clock may be looked at in one run: what never ends looks at it for ever."""
A_GRANT = re.compile(b".*?".join(bytes([byte]) for byte in b"subscription"), re.DOTALL)
"""Bytes that may be an acknowledgement, in whatever parts."""
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class ManualClock:
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

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        if not descriptors:
            self.now_ns = max(self.now_ns, until_ns)
        elif until_ns > self.now_ns:
            select(descriptors, (), (), min(0.001, (until_ns - self.now_ns) / SECOND_NS))


class ZeroJitter(Random):
    """Waits of nothing."""

    def random(self) -> float:
        return 0.0


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
    """One connection of the venue: websocket, greeting, and answers to subscriptions, unless the script differs."""

    def __init__(self, venue: "Venue") -> None:
        self.venue = venue
        self.transport: Any = None
        self.request = b""
        self.inbox = bytearray()
        self.is_open = False
        self.settled = False
        self.forged = False
        self.is_dropped = False
        self.is_clock = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.venue.peers.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = self.settled = self.forged = False
        self.venue.peers.remove(self)

    def send(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.venue.unread += 0 if self.is_clock else len(data)
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.is_open:
            self.inbox += data
            self._read()
            return
        self.request += data
        if b"\r\n\r\n" not in self.request:
            return
        if self.request.startswith(b"GET /clock "):
            self.is_clock = True
            self.send(self.venue.answer_clock())
            self.transport.close()
            return
        self.venue.connections += 1
        self.venue.peer = self
        self.venue.unread = 0
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
            if opcode == PING and self.venue.pongs:
                self.send(frame(plain, PONG))
            elif opcode in (TEXT, BINARY):
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
        self.pongs = True
        self.answer_clock: Callable[[], bytes] = lambda: b"HTTP/1.0 404 no\r\n\r\n"
        self.server: asyncio.Server | None = None

    @property
    def settled(self) -> bool:
        """Whether a connection stands whose subscription was granted."""
        return self.peer is not None and (self.peer.settled or self.peer.forged) and not self.peer.is_dropped

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        self.server = loop.run_until_complete(loop.create_server(lambda: Peer(self), sock=self.socket))

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave nothing in the loop."""
        if self.server is not None:
            loop.remove_reader(self.socket.fileno())
            # What was accepted has its transport before the server closes: else its socket is lost.
            while accepting := [task for task in asyncio.all_tasks(loop) if "accept" in repr(task.get_coro())]:
                loop.run_until_complete(asyncio.wait(accepting))
            self.server.close()
        for peer in tuple(self.peers):
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
            self.peer.is_dropped = True
            (self.peer.transport.abort if reset else self.peer.transport.close)()


class Trading(strategy.Strategy):
    """Enters at every second."""

    def on_second(self, ctx: Context) -> None:
        ctx.buy(1.0)


Step = Callable[["LiveDesk"], Any]


@dataclass
class LiveDesk(MemoryDesk):
    """A desk on a live feed, whose venue follows a script: one step between frames, each followed by quiet ones."""

    source: Any = None
    always: Sequence[str] = ("A", "B")
    script: Sequence[Step] = ()
    venue: Venue = field(default_factory=Venue)
    session_clock: Literal["real", "venue"] = "real"

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.store, self.book = MemoryKeeper(), MemoryLedger()
        limits = RiskLimits(max_orders_per_minute=10**6, max_position_notional=1e12, max_gross_notional=1e12)
        self.manager = OrderManager("day", RiskGate(limits), self.book, SimulatedVenue())
        self.mailbox = ProcessMailbox()
        broker = LocalBroker(self.manager, self.mailbox)
        self.strategies = [StrategyEntry("trading", lambda: Trading(NO_PARAMS))]
        self.consumers = {number: self._shard(number, broker) for number in range(self.shards)}
        self.wire = RecordingLinks(self.consumers, self.clock)
        live = AlpacaFeed(
            self.venue.url,
            "key",
            "secret",
            channels=frozenset({"trades", "quotes"}),
            clock=self.clock,
            session_clock=self.session_clock,
            start_ns=START_NS,
            stop_ns=HOURS.end_ns,
            hours=HOURS,
            rng=ZeroJitter(),
            timeout_ns=TIMEOUT_S * SECOND_NS,
        )
        self.venue.listen(live._socket.event_loop)
        self.clock_answer: bytes | None = None
        self.venue.answer_clock = self._answer_clock
        self.witness = EntryOracle(
            live,
            lambda: self.clock.now_ns,
            lambda: self.venue.settled,
            MAX_AGE_S * SECOND_NS,
            TIMEOUT_S * SECOND_NS,
        )
        self._count_reads(live)
        self.live = self.feed = live  # type: ignore[assignment]
        lane = LaneConfig("producer", 1, 1_000, 4, 0, 5_000 * MS_NS, 500, MAX_AGE_S * SECOND_NS, lossless=False)
        self.loop = ProducerLoop(
            ProducerConfig(1, False, START_NS, MAX_AGE_S * SECOND_NS, SECOND_NS, watch=FeedWatchConfig(hours=HOURS)),
            ProducerPorts(
                live,
                self.wire,
                broker,
                LocalScanners(ScannerRunner(None, (), START_NS)),  # type: ignore[arg-type]
                LocalKeeper(self.store),
                self.clock,
                self.mailbox,
                live,
            ),
            Beginning(
                RoutingTable.even(range(self.shards)), lane, Subscriptions(tuple(self.always)), range(self.shards)
            ),
        )
        self.faults: list[str] = []
        self._judged = 0
        self._quiet = 0
        self._reached_ns = 0
        self._steps = iter(self.script)

    def _count_reads(self, live: AlpacaFeed) -> None:
        """Let the venue know what the desk has read of it."""
        connect = live._socket._new_connection

        def connected() -> WebsocketConnection:
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
            self.venue.close(live._socket.event_loop)
            close()

        live._socket.close = closed  # type: ignore[method-assign]

    def _shard(self, number: int, broker: LocalBroker) -> Shard:
        config = EngineConfig("day", START_NS, SECOND_NS, 900 * SECOND_NS, 10**12, hours=HOURS)
        engine = Engine(config, self.strategies, lambda: 0)
        return Shard(ShardConfig(number, 1, SECOND_NS, False), engine, self.clock, LocalKeeper(self.store), broker)

    def run(self) -> "LiveDesk":
        """Follow the script to its end, stop, and drain."""
        try:
            with closing(self.loop.play()) as frames:
                for _ in frames:
                    self._show()
        finally:
            self.venue.socket.close()
        self._judge()
        return self

    def _answer_clock(self) -> bytes:
        """What /clock gives: the script's answer, or session time at real pace."""
        if self.clock_answer is not None:
            self.witness.clock_failed = True
            return self.clock_answer
        self.witness.clock_ns, self.witness.clock_failed = self.clock.now_ns, False
        now = {"session_ns": self.clock.now_ns, "wall_ns": self.clock.now_ns, "speed": 1.0, "state": "playing"}
        return b"HTTP/1.0 200 OK\r\n\r\n" + msgspec.json.encode(now)

    @property
    def _busy(self) -> bool:
        """Whether something is under way that the desk has not taken in: bytes, a loss, an answer of the clock."""
        peer = self.venue.peer
        lost = peer is not None and peer.is_dropped and self.witness.hears
        return self.venue.busy or lost or any(peer.is_clock for peer in self.venue.peers)

    def _show(self) -> None:
        self._judge()
        self._quiet += 1
        if self.loop.session_ns != self._reached_ns:
            self._reached_ns, self._quiet = self.loop.session_ns, 0
        if self._quiet < SETTLE_FRAMES or (self._busy and self._quiet < MOST_FRAMES):
            return
        self._quiet = 0
        step = next(self._steps, None)
        if step is None:
            self.loop.stop()
        else:
            step(self)

    def _judge(self) -> None:
        """Every entry that was accepted since the last look: nothing spoke against it at its mark."""
        verdicts = list(self.book.verdicts.values())
        for decision in verdicts[self._judged :]:
            at_ns = decision.intent.decision_ns
            if decision.outcome == "accepted":
                against = self.witness.reasons.get(at_ns, ["there was no such mark"])
                self.faults += [f"an entry at {(at_ns - START_NS) / SECOND_NS:g} s: {why}" for why in against]
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

    return step


def stale(age_s: float) -> Step:
    """Ticks of both symbols that are so old by the clock of the desk."""

    def step(desk: LiveDesk) -> None:
        then_ns = desk.session_ns - round(age_s * SECOND_NS)
        desk.venue.write(packed(*[make(then_ns, symbol) for make in (trade, quote) for symbol in "AB"]))

    return step


def advance(seconds: float) -> Step:
    def step(desk: LiveDesk) -> None:
        desk.clock.now_ns += round(seconds * SECOND_NS)

    return step


def forge(data: bytes, parts: int = 1) -> list[Step]:
    """Send bytes that may look like anything: ticks, or the acknowledgement of a subscription."""

    def step(desk: LiveDesk) -> None:
        if desk.venue.peer is not None and A_GRANT.search(data):
            desk.venue.peer.forged = True

    return [step, *write(data, parts)]


def drip(seconds: int) -> list[Step]:
    """Bytes every second, of a message that never ends."""
    head = b"\x82\x7f" + struct.pack(">Q", 1 << 20)
    return [*write(head), *[step for _ in range(seconds) for step in (*write(b"x"), advance(1.0))]]


def ponging(*, pongs: bool) -> Step:
    """Whether the venue answers pings."""

    def step(desk: LiveDesk) -> None:
        desk.venue.pongs = pongs

    return step


def clock_says(answer: bytes | None) -> Step:
    """What the venue's clock answers from now on; None: the time."""

    def step(desk: LiveDesk) -> None:
        desk.clock_answer = answer

    return step


def drop(*, reset: bool) -> Step:
    def step(desk: LiveDesk) -> None:
        desk.venue.drop(reset=reset)

    return step


def step_clock(seconds: float) -> Step:
    """Set this machine's clock."""

    def step(desk: LiveDesk) -> None:
        desk.clock.stepped_ns += round(seconds * SECOND_NS)

    return step


def answer(handshake: bytes | None, *, grants: bool = True) -> Step:
    """What the next connections get."""

    def step(desk: LiveDesk) -> None:
        desk.venue.handshake, desk.venue.grants = handshake, grants

    return step
