"""One file that is replaced as a whole, also if the writer is killed, and its errors.

A file that `write_checked` wrote is a checksum, a tag and a body. The checksum detects damage; the tag detects content
that this run did not write there (desk/files/sealing.py).

Tests: tests/desk/checkpoint/test_store.py
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zlib import crc32

from desk.files.private import write_private
from desk.files.sealing import TAG_BYTES, Seal
from desk.model.errors import RunFailed

CHECKSUM_BYTES: Final = 4


@contextmanager
def translate_disk_errors(path: Path) -> Iterator[None]:
    """Translate OSErrors within the block to RunFailed at `path`."""
    try:
        yield
    except FileNotFoundError as error:
        raise RunFailed(
            str(error.filename or path),
            "it is gone: it was deleted or moved",
            "the keeper's own files, as it wrote them",
            "Put it back, and `desk run --resume`; or start the run anew in another folder.",
        ) from error
    except OSError as error:
        raise RunFailed(
            str(path),
            error.strerror or str(error),
            "a readable and writable folder, with free space",
            "Free space or correct permissions there; confirmed checkpoints are safe.",
        ) from error


def damaged_file(path: Path, found: str) -> RunFailed:
    """The error for a file whose content the keeper did not write."""
    return RunFailed(
        str(path),
        found,
        "the keeper's own files, as it wrote them",
        "The disk or something else changed them; start the run anew in another folder.",
    )


def replace_file(path: Path, content: bytes) -> None:
    """Replace the file atomically: a reader finds the old content or the new, never a part.

    Not synced: the operating system keeps the data of a killed process. After a loss of power the checksums detect
    incomplete files.
    """
    beside = path.with_name(path.name + ".new")
    write_private(beside, content)
    beside.replace(path)


def write_checked(path: Path, body: bytes, seal: Seal | None) -> None:
    """Replace the file atomically by `body` with checksum and tag. Raises RunFailed."""
    tag = bytes(TAG_BYTES) if seal is None else seal.tag(path.name, body)
    with translate_disk_errors(path):
        replace_file(path, crc32(tag + body).to_bytes(CHECKSUM_BYTES, "little") + tag + body)


def read_checked(path: Path, seal: Seal | None) -> bytes | None:
    """Return the body last written by `write_checked`, None before the first. Raises RunFailed.

    Without a seal the body is not authenticated: do not unpickle it.
    """
    with translate_disk_errors(path):
        if not path.exists():
            return None
        content = path.read_bytes()
    checksum, sealed = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
    if len(sealed) < TAG_BYTES or crc32(sealed).to_bytes(CHECKSUM_BYTES, "little") != checksum:
        raise damaged_file(path, "it does not match its checksum")
    tag, body = sealed[:TAG_BYTES], sealed[TAG_BYTES:]
    if seal is not None and not seal.matches(tag, path.name, body):
        raise foreign_file(path, "its authentication code does not match")
    return body


def foreign_file(path: Path, found: str) -> RunFailed:
    """The error for a file whose content this run did not write there last."""
    return RunFailed(
        str(path),
        f"its content is not the last that this run wrote: {found}",
        "the keeper's own files, as it wrote them",
        "Do not trust this folder: its content is run as code. Start the run anew in another folder.",
    )
