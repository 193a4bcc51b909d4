"""Makes a tape of the log of a run's ticks.

Tests: tests/desk/tape/test_tick_log.py
"""

from itertools import count
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from desk.model.errors import TapeError
from desk.tape.tick_log import DIGITS, TAPE_SUFFIX, log_paths, read_chunks
from desk.tape.writer import TapeWriter

ROWS_PER_FILE: Final = 4_000_000


def write_recorded_tape(folder: Path, rows_per_file: int = ROWS_PER_FILE) -> int:
    """Write the folder's log as files of a tape beside it, delete the log, and return the number of rows.

    Files of an earlier log stay: a run that failed and was resumed has one for each part. A repeated call after an
    interrupted one begins anew. Raises TapeError.
    """
    paths = log_paths(folder)
    if not paths:
        return 0
    first = paths[0].stem
    earlier = []
    for path in sorted(folder.glob(f"*{TAPE_SUFFIX}")):
        if path.name[:DIGITS] < first:
            earlier.append(path)
        else:
            path.unlink()
    rows, numbers = 0, count(1)
    writer: TapeWriter | None = None
    try:
        newest_ns = _last_ns(earlier[-1]) if earlier else 0
        for chunk in read_chunks(paths):
            if writer is None:
                writer = TapeWriter(folder / f"{first}-{next(numbers):0{DIGITS}d}{TAPE_SUFFIX}", newest_ns)
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


def recorded_rows(folder: Path) -> int:
    """The rows of all files of the tape. Raises TapeError."""
    try:
        return sum(pq.ParquetFile(path).metadata.num_rows for path in folder.glob(f"*{TAPE_SUFFIX}"))
    except (pa.ArrowException, OSError) as error:
        raise TapeError(str(folder), f"cannot be read: {error}", "the files that the run wrote") from error


def _last_ns(path: Path) -> int:
    """The received time of the last row of a tape's file, which has rows."""
    file = pq.ParquetFile(path)
    received = file.read_row_group(file.num_row_groups - 1, columns=["recv_ns"]).column("recv_ns")
    last_ns: int = received[-1].as_py()
    return last_ns
