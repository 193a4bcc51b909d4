"""Makes a tape of the log of a run's ticks.

Tests: tests/desk/tape/test_tick_log.py
"""

from itertools import count
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from desk.model.errors import TapeError
from desk.tape.tick_log import log_paths, read_chunks
from desk.tape.writer import TapeWriter

ROWS_PER_FILE: Final = 4_000_000


def write_recorded_tape(folder: Path, rows_per_file: int = ROWS_PER_FILE) -> int:
    """Write the folder's log as files of a tape beside it, delete the log, and return the number of rows.

    A repeated call after an interrupted one begins anew. Raises TapeError.
    """
    paths = log_paths(folder)
    if not paths:
        return 0
    for old in folder.glob("*.parquet"):
        old.unlink()
    rows, numbers = 0, count(1)
    writer: TapeWriter | None = None
    newest_ns = 0
    try:
        for chunk in read_chunks(paths):
            if writer is None:
                writer = TapeWriter(folder / f"{next(numbers):06d}.parquet", newest_ns)
            counts, times_ns = zip(*chunk.frames, strict=True)
            writer.write_ticks(chunk.ticks, np.repeat(np.array(times_ns, np.int64), counts))
            rows += len(chunk.ticks)
            if writer.rows >= rows_per_file:
                writer.close()
                newest_ns, writer = writer.newest_ns or 0, None
        if writer is not None:
            writer.close()
    except (OSError, msgspec.DecodeError) as error:
        raise TapeError(
            str(folder), f"the log of its ticks cannot be read: {error}", "the files that the run wrote"
        ) from error
    for path in paths:
        path.unlink()
    return rows
