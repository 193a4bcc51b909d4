"""A client whose connection has the faults of a script."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from desk.local_venue.chunk import Chunk, EncodedChunk
from desk.local_venue.client import Client
from desk.local_venue.events import with_used_symbols
from desk.local_venue.faults.broken_frames import as_frame, half_frame, malformed, oversized
from desk.local_venue.faults.event_faults import EventFaults, NumberedEvents, fractions
from desk.local_venue.faults.fault_kinds import MALFORMED
from desk.local_venue.faults.fault_schedule import NEVER_NS, FaultSchedule
from desk.local_venue.faults.fault_script import Fault
from desk.local_venue.message_layout import MessageLayout
from desk.local_venue.messages import encode
from desk.local_venue.server_protocol import ENDING, Reply, ServerProtocol, Step, Symbols
from desk.local_venue.venue_settings import MIB
from desk.model.blocks import Block

ABNORMAL: Final = 1006
"""The close code that stands for a connection that ended without one (RFC 6455, section 7.4.1)."""


class FaultyClient(Client):
    """Consults the schedule at every step of its protocol and at every turn of the play.

    Turns with no event that a fault concerns are sent as to any client. The events of the others are changed, and
    encoded for this client alone.
    """

    def __init__(
        self, connection: ServerConnection, protocol: ServerProtocol, symbols: tuple[str, ...], schedule: FaultSchedule
    ) -> None:
        super().__init__(connection, protocol, symbols)
        self.number = schedule.connect()
        self._schedule = schedule
        self._events = EventFaults(schedule)
        self._silent = False
        self._requested_binary = protocol.binary
        protocol.grant = self._grant
        self._filter_pings()

    @property
    def listening(self) -> bool:
        """Whether data may be sent to it."""
        return super().listening and not self._silent

    async def answer(self, step: Step, make: Callable[[], Reply]) -> None:
        """Handle one step of the protocol, or inject the fault that is due at it."""
        self._choose_encoding(self._schedule.spans(self.number))
        fault = self._schedule.take(step, self.number, self.sent, "moment", "answer")
        if fault is None:
            await super().answer(step, make)
        else:
            self._inject(fault)

    async def send_reply(self, reply: Reply) -> None:
        """Send a control message, unless the connection is half open."""
        if not self._silent:
            await super().send_reply(reply)

    def offer(self, chunk: Chunk, first: int, last: int, framed: bool, limit_bytes: int | None) -> None:
        """Send the chunk's frames [first, last) as the faults leave them."""
        while self.listening and (fault := self._schedule.take("data", self.number, self.sent, "moment")):
            self._inject(fault)
        spans = self._schedule.spans(self.number)
        self._choose_encoding(spans)
        if not self.listening:
            return
        if self._events:
            self._send_held(spans, self._schedule.now_ns, framed, limit_bytes)
        if not spans or not self._events.concerns(spans, chunk, first, last):
            super().offer(chunk, first, last, framed, limit_bytes)
        else:
            for selection in self._selections:
                block, numbers = chunk.rows(selection, first, last)
                for part in self._events.apply(spans, NumberedEvents(block, numbers), selection.layout):
                    self._send_block(part, selection.layout, framed, limit_bytes)

    def finish(self) -> None:
        """Send the events that are held back, at the end of the play."""
        self._send_held([], NEVER_NS, framed=False, limit_bytes=None)

    def send_messages(self, channel: str, messages: Sequence[dict[str, Any]]) -> None:
        """Send the subscribed ones of these messages, unless the whole connection is mute."""
        for fault in self._schedule.spans(self.number):
            if fault.kind.name == "mute" and not fault.symbols:
                self._schedule.count(fault, len(messages))
                return
        super().send_messages(channel, messages)

    def _send_held(self, spans: list[Fault], now_ns: int, framed: bool, limit_bytes: int | None) -> None:
        for layout, block in self._events.release(spans, now_ns):
            self._send_block(block, layout, framed, limit_bytes)

    def _send_block(self, block: Block, layout: MessageLayout, framed: bool, limit_bytes: int | None) -> None:
        if not self.listening:
            return
        framed = self._framed(framed)
        templates = encode(with_used_symbols(block), self._wire, framed, False, layout)
        templates.stamp(block.ts_ns)
        count = int(np.count_nonzero(np.diff(templates.edges)))
        run = EncodedChunk(self._wire, framed, templates.buffer, [0, int(templates.edges[-1])], [0, count])
        self._send_run(run, 0, 1, limit_bytes)

    def _inject(self, fault: Fault) -> None:
        """Let a moment happen now."""
        transport = self.connection.transport
        values = fault.values
        match fault.kind.name:
            case "error" if values["code"] in ENDING:
                self.drop(values["code"])
            case "error":
                self.send_payload(self.protocol.error(values["code"]).data)
            case "disconnect" if values["code"] == ABNORMAL:
                transport.abort()
            case "disconnect":
                self.close(values["code"], "injected by the fault script")
            case "cut":
                transport.write(half_frame(self.protocol))
                transport.close()
                self._silent = True
            case "half_open":
                self._freeze(self._schedule.wall_s(values["reap_s"]))
            case "malformed":
                transport.write(as_frame(self.protocol, malformed(self.protocol, self._flaw(fault))))
            case "oversized":
                transport.write(as_frame(self.protocol, oversized(self.protocol, int(values["mib"] * MIB))))
            case "no_answer":
                pass

    def _flaw(self, fault: Fault) -> str:
        """The flaw of a malformed frame: the script's, or one by the seed."""
        flaws = MALFORMED[1:]
        hits = np.array([self._schedule.counts[fault.kind.name]])
        chosen = int(fractions(self._schedule.seed, fault.number, hits)[0] * len(flaws))
        return fault.values["what"] or flaws[chosen]

    def _freeze(self, wall_s: float) -> None:
        """Neither read nor write any more, and keep the connection's place; reap it after a time."""
        self._silent = True
        self.connection.transport.pause_reading()
        if self.connection.keepalive_task is not None:
            self.connection.keepalive_task.cancel()
        asyncio.get_running_loop().call_later(wall_s, self.connection.transport.abort)

    def _choose_encoding(self, spans: list[Fault]) -> None:
        wrong = [fault for fault in spans if fault.kind.name == "encoding"]
        binary = self._requested_binary is not bool(wrong)
        if binary is not self.protocol.binary:
            self.protocol.binary = binary
            for fault in wrong:
                self._schedule.count(fault)

    def _filter_pings(self) -> None:
        """Ignore pings while a fault says so: the library's parser, which answers them, does not see these frames."""
        protocol = self.connection.protocol
        receive = protocol.recv_frame

        def recv_frame(frame: Frame) -> None:
            if frame.opcode is Opcode.PING:
                for fault in self._schedule.spans(self.number):
                    if fault.kind.name == "no_pong":
                        self._schedule.count(fault)
                        return
            receive(frame)

        protocol.recv_frame = recv_frame  # type: ignore[method-assign]

    def _grant(self, asked: Symbols) -> Symbols:
        """The part of a subscription that is granted."""
        fault = self._schedule.take("subscribe", self.number, self.sent, "grant")
        if fault is None:
            return asked
        return {
            channel: [symbol for symbol in symbols if not self._is_refused(fault, symbol)]
            for channel, symbols in asked.items()
        }

    def _is_refused(self, fault: Fault, symbol: str) -> bool:
        if fault.symbols:
            return symbol in fault.symbols
        number = np.array([int.from_bytes(symbol.encode()[:7])])
        return bool(fractions(self._schedule.seed, fault.number, number)[0] < fault.values["share"])
