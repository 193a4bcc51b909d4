"""The recording of a live feed: its ticks go to the keeper, a chunk per second.

Tests: tests/desk/producer/test_recording.py, tests/desk/inprocess/test_recorded_run.py
"""

from typing import Final

from desk.model.tick_chunk import TickChunk, encode_chunk
from desk.model.ticks import Event, Frame
from desk.ports import TickWriter
from desk.telemetry.note_board import NoteBoard

MAX_UNSAVED: Final = 256 * 1024 * 1024
"""Bytes of chunks that the keeper has not saved; beyond it ticks are not recorded, and counted."""


class Recording:
    """Collects the ticks of frames. `lost` counts ticks that were not recorded because the keeper was too slow."""

    def __init__(self, writer: TickWriter | None, epoch: int, notes: NoteBoard) -> None:
        self.lost = 0
        self._writer = writer
        self._notes = notes
        self._epoch = epoch
        self._number = 0
        self._ticks: list[Event] = []
        self._frames: list[tuple[int, int]] = []

    def take(self, frame: Frame) -> None:
        """Take the ticks of a frame."""
        if self._writer is not None and frame.ticks:
            self._ticks += frame.ticks
            self._frames.append((len(frame.ticks), frame.session_ns))

    def save(self) -> None:
        """Send what was taken since the last call."""
        if self._writer is None or not self._ticks:
            return
        if self._writer.unsaved_ticks() > MAX_UNSAVED:
            if not self.lost:
                self._notes.add("the keeper is too slow: ticks are missing on the tape", "error")
            self.lost += len(self._ticks)
        else:
            self._number += 1
            self._writer.save_ticks(encode_chunk(TickChunk(self._epoch, self._number, self._ticks, self._frames)))
        self._ticks, self._frames = [], []

    def end(self) -> None:
        """Send the rest, and wait until everything is saved."""
        self.save()
        if self._writer is not None:
            self._writer.settle()

    @property
    def problem(self) -> str:
        """The ticks that are missing from the tape, in one line; "" if none is."""
        return f"{self.lost:,} ticks are not on the tape: the keeper was too slow" if self.lost else ""
