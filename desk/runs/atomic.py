"""Files that are whole or absent."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desk.model.errors import RunFailed


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when the block ends well.

    Raises RunFailed for what the disk refuses; what stood at `path` before is still there then.
    """
    beside = path.with_name(path.name + ".new")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise RunFailed(
            str(path),
            f"it cannot be written: {error.strerror or error}",
            "a folder that can be written, with free space",
            "Free space or correct permissions there, and run again.",
        ) from error
    finally:
        beside.unlink(missing_ok=True)
