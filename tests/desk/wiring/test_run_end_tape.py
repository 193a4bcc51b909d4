"""The tape at the end of a run: ticks that a dead producer received and did not record are a warning."""

from pathlib import Path

import pytest

from desk.model.tick_chunk import TickChunk, encode_chunk
from desk.model.ticks import Trade
from desk.report.run_record import FeedRecord
from desk.runs import RunFolder
from desk.tape.tick_log import TickLogWriter
from desk.wiring.run_end import make_tape


@pytest.mark.parametrize(
    ("received", "rejected", "words"),
    [(2, 0, []), (3, 1, []), (5, 1, ["a producer died, and the tape lacks 2 received ticks of its last second"])],
)
def test_received_ticks_that_are_not_on_the_tape_are_named(
    received: int, rejected: int, words: list[str], tmp_path: Path
) -> None:
    folder = RunFolder.create(None, tmp_path / "run", "run", 0)
    log = TickLogWriter(folder.tape)
    ticks = [Trade(number, "A", number, 10**18 * 2 + number, 10.0, 100.0) for number in (1, 2)]
    log.append(encode_chunk(TickChunk(1, 1, list(ticks), [(2, 2 * 10**18)])))
    log.close()
    feed = FeedRecord({"trades": received}, {"trades": {"price": rejected}}, {}, [])

    assert make_tape(folder, feed) == words
