"""One file, written so that a killed process leaves a whole one, and faults told with their place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zlib import crc32

from desk.model.errors import RunFailed

CHECKSUM_BYTES: Final = 4


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what the operating system raises within into a RunFailed at `path`."""
    try:
        yield
    except OSError as error:
        raise RunFailed(
            str(path),
            error.strerror or str(error),
            "a folder that can be read and written, with free space",
            "Free space or correct permissions there; what was confirmed before is safe.",
        ) from error


def damaged(path: Path, found: str) -> RunFailed:
    """The fault of a file that holds something else than the keeper wrote."""
    return RunFailed(
        str(path),
        found,
        "the keeper's own files, as it wrote them",
        "The disk or something else changed them; start the run anew in another folder.",
    )


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the file's place at once: a reader finds the old content or the new, never a part.

    Not synced: a process that is killed loses nothing, since the operating system keeps what it wrote; a
    machine that loses power ends the desk anyway, and the checksums tell what it left behind.
    """
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(content)
    beside.replace(path)


def put(path: Path, body: bytes) -> None:
    """Put `body`, checksummed, in the file's place at once. Raises RunFailed."""
    with told(path):
        replace(path, crc32(body).to_bytes(CHECKSUM_BYTES, "little") + body)


def get(path: Path) -> bytes | None:
    """What was `put` there last, None before the first. Raises RunFailed."""
    with told(path):
        if not path.exists():
            return None
        content = path.read_bytes()
    checksum, body = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
    if crc32(body).to_bytes(CHECKSUM_BYTES, "little") != checksum:
        raise damaged(path, "it does not match its checksum")
    return body
