"""The source's events as chunks, once or in a loop.

Tests: tests/desk/local_venue/test_local_venue_server.py
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Final

from desk.local_venue.chunk import Chunk
from desk.local_venue.events import played
from desk.local_venue.json.tick_layout import RunningVolumes
from desk.local_venue.venue_settings import PlaySettings
from desk.model.blocks import BlockSource
from desk.model.errors import BadInput

KEPT_EVENTS: Final = 400_000
_END: Final = object()


class ChunkSource:
    """Chunks in the order of play; None marks a restart of the source.

    A looped source of at most KEPT_EVENTS is kept with its templates (about 150 bytes per event and encoding), so that
    later rounds only write times and ids; a longer one is read and encoded again.
    """

    def __init__(self, source: BlockSource, play: PlaySettings) -> None:
        self._source = source
        self._play = play
        self._kept: list[Chunk] = []

    def keep(self) -> list[Chunk]:
        """Read a short looped source into memory; does nothing for other sources."""
        if self._play.loop:
            self._kept = self._read_kept()
        return self._kept

    async def chunks(self) -> AsyncGenerator[Chunk | None, None]:
        """The chunks to play. Raises BadInput if the source has no event of the wanted kind.

        A thread reads chunks that are not kept, one ahead of the play, so that reading does not delay frames that are
        due.
        """
        rounds = self._rounds()
        if self._kept:
            for chunk in rounds:
                yield chunk
            return
        coming = asyncio.create_task(asyncio.to_thread(next, rounds, _END))
        try:
            while (read := await coming) is not _END:
                coming = asyncio.create_task(asyncio.to_thread(next, rounds, _END))
                yield read  # type: ignore[misc]  # all but _END
        finally:
            coming.cancel()

    def _rounds(self) -> Iterator[Chunk | None]:
        while True:
            number = 0
            for chunk in self._kept or self._read():
                number += 1
                yield chunk
            if not number:
                raise BadInput(
                    self._source.place,
                    f"no playable {'event' if self._play.mix == 'both' else self._play.mix}",
                    "at least one sound trade or quote",
                    "Choose another source or another --mix.",
                )
            if not self._play.loop:
                return
            yield None

    def _read_kept(self) -> list[Chunk]:
        kept = []
        events = 0
        for chunk in self._read():
            events += len(chunk)
            if events > KEPT_EVENTS:
                return []
            kept.append(chunk)
        return kept

    def _read(self) -> Iterator[Chunk]:
        volumes = RunningVolumes(len(self._source.symbols))
        for events, fresh_ids in played(self._source, self._play):
            yield Chunk(volumes.add_to(events), self._play.single, fresh_ids)
