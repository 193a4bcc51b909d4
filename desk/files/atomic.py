"""Files that are whole or absent, and private.

Tests: tests/desk/runs/test_bars_file.py
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from desk.files.private import write_private
from desk.model.errors import RunFailed


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file of mode 0600 beside `path`; it replaces `path` when the block ends without an error.

    Raises RunFailed for errors of the disk; `path` is unchanged then.
    """
    beside = path.with_name(path.name + ".new")
    try:
        write_private(beside, b"")
        yield beside
        beside.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> RunFailed:
    """The error for a file that cannot be written."""
    return RunFailed(
        str(path),
        f"it cannot be written: {error.strerror or error}",
        "a writable folder with free space",
        "Free space or correct permissions there, and run again.",
    )
