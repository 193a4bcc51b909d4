"""A local venue that plays a tape, behind a proxy that breaks every connection and refuses new ones for some time."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final, Self

from scripted_history import ScriptedHistory

from desk.local_venue.server import VenueServer
from desk.local_venue.venue_settings import AccessRules, PlaySettings
from desk.model.ticks import Quote, Tick, Trade
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS
from desk.tape.reader import TapeSource
from desk.tape.writer import TapeWriter

OPEN_NS: Final = 1_767_623_400 * SECOND_NS
"""2026-01-05 09:30 in New York."""
SYMBOLS: Final = ("AAA", "BBB", "CCC")


def write_trading_day(path: Path, minutes: int) -> list[Trade]:
    """Write a tape of trades with identities, and quotes; return its trades. The third symbol trades rarely."""
    ticks: list[Tick] = []
    trades = []
    numbers = count(1)
    for step in range(minutes * 60 * 4):
        at_ns = OPEN_NS + step * 250 * MS_NS
        for index, symbol in enumerate(SYMBOLS):
            if step % (3, 5, 97)[index]:
                continue
            price = 10.0 + index + (step * 7 % 40) / 100
            conditions = ("", "", "I", "W")[step % 4] if step % 11 == 0 else ""
            trade = Trade(
                0, symbol, at_ns - step % 3 * MS_NS, at_ns, price, 100.0 + step, conditions, "V", next(numbers), "C"
            )
            trades.append(trade)
            ticks += [Quote(0, symbol, at_ns, at_ns, price - 0.01, 500.0, price + 0.01, 500.0), trade]
    with TapeWriter(path) as tape:
        tape.write_ticks(ticks)
    return trades


class PresentHistory(ScriptedHistory):
    """The history of a venue's trades, up to the play's present."""

    def __init__(self, trades: Sequence[Trade], venue: "BreakableVenue") -> None:
        super().__init__(trades, page=1_000)
        self._venue = venue

    @property
    def reached_ns(self) -> int:  # type: ignore[override]  # the present, which no test sets
        return self._venue.present_ns

    @reached_ns.setter
    def reached_ns(self, _: int) -> None:
        """The present cannot be set."""


class BreakableVenue:
    """A context manager with its own thread. `outages` are session times from the open, in s: (from, to)."""

    def __init__(self, tape: Path, speed: float, outages: Sequence[tuple[float, float]]) -> None:
        self.url = ""
        self._tape = tape
        self._speed = speed
        self._outages = [(OPEN_NS + round(a * SECOND_NS), OPEN_NS + round(b * SECOND_NS)) for a, b in outages]
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._pipes: set[asyncio.StreamWriter] = set()

    @property
    def present_ns(self) -> int:
        """The venue time that the play has reached."""
        clock = self._server._player.clock()  # the play's own clock, which /clock serves
        return clock.session_ns + (MINUTE_NS if clock.state == "ended" else 0)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        play = PlaySettings(speed=self._speed)
        async with VenueServer(TapeSource(str(self._tape)), play, AccessRules()) as self._server:
            playing = asyncio.create_task(self._server.play())
            breaking = asyncio.create_task(self._break())
            proxy = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
            self.url = f"ws://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/v2/test"
            self._ready.set()
            await self._stop.wait()
            proxy.close()
            for task in (playing, breaking):
                task.cancel()
            await asyncio.wait([playing, breaking])
            self._close_all()

    @property
    def _is_broken(self) -> bool:
        return any(from_ns <= self.present_ns < to_ns for from_ns, to_ns in self._outages)

    async def _break(self) -> None:
        while True:
            if self._is_broken:
                self._close_all()
            await asyncio.sleep(0.002)

    def _close_all(self) -> None:
        for writer in self._pipes:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_broken:
            writer.transport.abort()
            return
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        self._pipes |= {writer, to_writer}
        with suppress(ConnectionError):
            await asyncio.gather(self._copy(reader, to_writer), self._copy(to_reader, writer))
        self._pipes -= {writer, to_writer}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
