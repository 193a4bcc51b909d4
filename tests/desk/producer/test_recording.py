"""The recording of a live feed with a keeper that is too slow: what is missing is said at once, and at the end."""

from desk.model.tick_chunk import decode_chunk
from desk.model.ticks import Frame, Trade
from desk.producer.recording import MAX_UNSAVED, Recording
from desk.telemetry.note_board import NoteBoard


class Writer:
    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.unsaved = 0

    def save_ticks(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    def unsaved_ticks(self) -> int:
        return self.unsaved

    def settle(self) -> None:
        self.unsaved = 0


def a_frame(number: int) -> Frame:
    return Frame([Trade(number, "A", number, number, 10.0, 100.0)], number)


def test_ticks_beyond_the_bound_are_counted_noted_once_and_a_problem() -> None:
    writer, notes = Writer(), NoteBoard()
    recording = Recording(writer, 1, notes)

    for number, unsaved in enumerate((0, MAX_UNSAVED + 1, MAX_UNSAVED + 1, MAX_UNSAVED), 1):
        writer.unsaved = unsaved
        recording.take(a_frame(number))
        recording.save()
    recording.end()

    assert [decode_chunk(chunk).frames for chunk in writer.chunks] == [[(1, 1)], [(1, 4)]]
    assert [decode_chunk(chunk).number for chunk in writer.chunks] == [1, 2]
    assert [note.text for note in notes.latest()] == ["the keeper is too slow: ticks are missing on the tape"]
    assert recording.problem.startswith("2 ticks are not on the tape")
    assert writer.unsaved == 0


def test_without_a_writer_nothing_is_kept() -> None:
    recording = Recording(None, 1, NoteBoard())

    recording.take(a_frame(1))
    recording.end()

    assert recording.problem == ""
