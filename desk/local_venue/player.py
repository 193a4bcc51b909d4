"""The player: sends the source's chunks to the clients, by a schedule.

Tests: tests/desk/local_venue/test_local_venue_server.py
"""

import asyncio
import time
from bisect import bisect_right
from contextlib import aclosing
from typing import Any, Final

import msgspec
import numpy as np

from desk.local_venue.byte_fields import Ints
from desk.local_venue.chunk import Chunk
from desk.local_venue.chunk_source import ChunkSource
from desk.local_venue.client_registry import ClientRegistry
from desk.local_venue.faults.fault_schedule import FaultSchedule
from desk.local_venue.minute_bars import MinuteBars, bar_message
from desk.local_venue.play_moment import PlayMoment, PlayState
from desk.local_venue.schedule import Schedule
from desk.local_venue.second_bars import SecondBars
from desk.local_venue.venue_settings import PlaySettings
from desk.model.blocks import Block, BlockSource
from desk.model.units import SECOND_NS

FRAMES_PER_TURN: Final = 128
"""Frames sent before the event loop runs other tasks."""


class VenueClock(msgspec.Struct):
    """The session time that the venue has reached, published at /clock.

    `speed` is the factor of session time over wall time; None while it follows no clock.
    """

    session_ns: int
    wall_ns: int
    speed: float | None
    state: PlayState


class Player:
    """Waits for the clients, then plays. Counts the offered events and their delay.

    The schedule uses the monotonic clock. Restamped times, and then the session clock, are wall time at the start of
    the play plus monotonic time, so that a step of this machine's clock does not affect them.
    """

    def __init__(
        self,
        source: BlockSource,
        play: PlaySettings,
        registry: ClientRegistry,
        buffer_bytes: int,
        faults: FaultSchedule | None = None,
    ) -> None:
        self.state: PlayState = "waiting"
        self.offered = 0
        self.rounds = 0
        self.lag_ns = 0
        self.max_lag_ns = 0
        self.played_ns = 0
        self._source = source
        self._play = play
        self._registry = registry
        self._buffer_bytes = buffer_bytes if play.paced else None
        self._chunk_source = ChunkSource(source, play)
        self._schedule = Schedule(play)
        self._begun_ns = 0
        self._begun_wall_ns = 0
        self._session_ns = source.start_ns
        self._first_recv_ns = source.start_ns
        self._round_ns = 0
        self._earlier_events = 0
        self._round_begins = True
        self._minutes: MinuteBars | None = None
        self._seconds: SecondBars | None = None
        self._faults = faults
        self._rounds_ns = 0

    async def run(self) -> None:
        """Play to the end, or for the play's `seconds`. Raises BadInput if the source has no playable event."""
        kept = self._chunk_source.keep()
        async with aclosing(self._chunk_source.chunks()) as chunks:
            first = await anext(chunks)
            await self._registry.subscribed(self._play.wait_clients)
            for chunk in kept or (first,):
                self._prepare(chunk)
            self._begin()
            try:
                async with asyncio.timeout(self._play.seconds) as limit:
                    await self._show(first)
                    async for chunk in chunks:
                        await self._show(chunk)
            except TimeoutError:
                if not limit.expired():
                    raise
            finally:
                for client in self._registry.clients:
                    client.finish()
                self.played_ns = self._elapsed_ns()
                self.state = "ended"

    def clock(self) -> VenueClock:
        """The session clock now, with the faults of the clock."""
        clock = self._true_clock()
        offset_ns = self._faults.clock_offset_ns() if self._faults is not None else 0
        return msgspec.structs.replace(clock, session_ns=clock.session_ns + offset_ns) if offset_ns else clock

    def _true_clock(self) -> VenueClock:
        wall_ns = time.time_ns()
        if self._play.restamp:
            is_scheduled = self._play.paced and self.state != "waiting"
            session_ns = self._begun_wall_ns + self._elapsed_ns() if is_scheduled else wall_ns
            return VenueClock(session_ns, wall_ns, 1.0, self.state)
        session_ns = self._session_ns
        if self._play.speed is not None and self.state == "playing":
            run_ns = int((self._elapsed_ns() - self._round_ns) * self._play.speed)
            session_ns = min(self._first_recv_ns + run_ns, self._source.end_ns)
        return VenueClock(session_ns, wall_ns, self._play.speed, self.state)

    def moment(self) -> PlayMoment:
        """The present, for code that answers questions about the past."""
        return PlayMoment(
            session_ns=self._true_clock().session_ns,
            reached_ns=self._session_ns,
            state=self.state,
            rounds=self.rounds,
            earlier_events=self._earlier_events,
            round_start_ns=self._begun_wall_ns + self._round_ns,
            first_recv_ns=self._first_recv_ns,
        )

    @property
    def elapsed_ns(self) -> int:
        """The time since the play began."""
        return self._elapsed_ns() if self.state == "playing" else self.played_ns

    def _elapsed_ns(self) -> int:
        return time.perf_counter_ns() - self._begun_ns

    def _prepare(self, chunk: Chunk | None) -> None:
        for client in self._registry.clients:
            if chunk is not None:
                client.prepare(chunk, self._play.single)

    def _begin(self) -> None:
        self._begun_wall_ns = time.time_ns()
        self._begun_ns = time.perf_counter_ns()
        self.state = "playing"

    async def _show(self, chunk: Chunk | None) -> None:
        if chunk is None:
            self._schedule.begin_again()
            self.rounds += 1
            self._rounds_ns += self._session_ns - self._source.start_ns
            self._round_begins = True
            self._minutes = self._seconds = None
            return
        due_ns = self._schedule.due(chunk.events.recv_ns)
        if self._round_begins:
            self._first_recv_ns, self._round_ns = int(chunk.events.recv_ns[0]), int(due_ns[0])
            self._earlier_events = self.offered
            self._round_begins = False
        chunk.begin(due_ns, self._stamps(chunk.events, due_ns), self._play.frame_ns, self.offered)
        await (self._by_schedule(chunk) if self._play.paced else self._by_reading(chunk))

    def _stamps(self, events: Block, due_ns: Ints) -> Ints:
        """The events' times: their own, or moved to now.

        With a speed, events keep their lag (received - venue time); with a rate, their time is the due time; as fast as
        possible, it is now.
        """
        if not self._play.restamp:
            return events.ts_ns
        if not self._play.paced:
            return np.full(len(due_ns), time.time_ns())
        wall_ns = self._begun_wall_ns + due_ns
        return wall_ns - (events.recv_ns - events.ts_ns) if self._play.speed is not None else wall_ns

    async def _by_schedule(self, chunk: Chunk) -> None:
        frames, release_ns = len(chunk.release_ns), chunk.release_ns
        at = 0
        while at < frames:
            now_ns = self._elapsed_ns()
            due = min(bisect_right(release_ns, now_ns, at), at + FRAMES_PER_TURN)
            if due == at:
                self.lag_ns = 0
                await asyncio.sleep((release_ns[at] - now_ns) / SECOND_NS)
                continue
            self.lag_ns = now_ns - release_ns[at]
            self.max_lag_ns = max(self.max_lag_ns, self.lag_ns)
            self._offer(chunk, at, due)
            at = due
            await asyncio.sleep(0)

    async def _by_reading(self, chunk: Chunk) -> None:
        for at in range(0, len(chunk.release_ns), FRAMES_PER_TURN):
            self._offer(chunk, at, min(at + FRAMES_PER_TURN, len(chunk.release_ns)))
            for client in tuple(self._registry.clients):
                await client.drained()
            await asyncio.sleep(0)

    def _offer(self, chunk: Chunk, first: int, last: int) -> None:
        self._session_ns = int(chunk.events.recv_ns[chunk.bounds[last] - 1])
        if self._faults is not None:
            self._faults.reach(self._rounds_ns + self._session_ns - self._source.start_ns)
        for client in self._registry.clients:
            client.offer(chunk, first, last, self._play.single, self._buffer_bytes)
        self._send_minutes(chunk, chunk.bounds[first], chunk.bounds[last])
        self._send_seconds(chunk, chunk.bounds[first], chunk.bounds[last])
        self.offered += chunk.bounds[last] - chunk.bounds[first]

    def _send_minutes(self, chunk: Chunk, first: int, last: int) -> None:
        """Send minute bars, made only while a client subscribes to them: folding costs more than all the rest."""
        if not any(client.wants("bars") or client.wants("updatedBars") for client in self._registry.clients):
            self._minutes = None
            return
        if self._minutes is None:
            self._minutes = MinuteBars()
        bars = self._minutes.take(chunk.events, chunk.ts_ns, first, last)
        for channel, kind, some in (("bars", "b", bars.new), ("updatedBars", "u", bars.updated)):
            if some:
                self._send_messages(channel, [bar_message(bar, kind) for bar in some])

    def _send_seconds(self, chunk: Chunk, first: int, last: int) -> None:
        """Send bars of one second; likewise."""
        if not any(client.wants("seconds") for client in self._registry.clients):
            self._seconds = None
            return
        if self._seconds is None:
            self._seconds = SecondBars()
        bars = self._seconds.take(chunk.events, chunk.ts_ns, first, last)
        if bars:
            self._send_messages("seconds", bars)

    def _send_messages(self, channel: str, messages: list[dict[str, Any]]) -> None:
        for client in self._registry.clients:
            client.send_messages(channel, messages)
