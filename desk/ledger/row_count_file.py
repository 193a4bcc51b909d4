"""A file beside the ledger with the number of rows that a run has committed: a ledger with fewer rows has lost some.

It is rewritten in place after each commit, without waiting for the disk, like the commits themselves.

Tests: tests/desk/ledger/test_known_ledger.py
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from desk.files.private import private_opener
from desk.ledger.identity import RowCounts
from desk.model.errors import LedgerError, RunFolderError

LINE_BYTES: Final = 200


class CommittedRows(msgspec.Struct):
    """The ledger's identity, and the number of rows that the run has committed to it."""

    ledger: str
    rows: RowCounts


class RowCountFile:
    """The file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def write(self, committed: CommittedRows) -> None:
        """Replace the content. Raises LedgerError."""
        line = msgspec.json.encode(committed).ljust(LINE_BYTES - 1) + b"\n"
        try:
            if self._descriptor is None:
                self._descriptor = private_opener(str(self.path), os.O_WRONLY | os.O_CREAT)
            os.pwrite(self._descriptor, line, 0)
        except OSError as error:
            raise LedgerError(
                str(self.path),
                f"it cannot be written: {error.strerror}",
                "a writable folder with free space",
                "Free disk space or correct the permissions, then `desk run --resume`.",
            ) from error

    def read(self) -> CommittedRows:
        """The last content. Raises RunFolderError."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=CommittedRows)
        except (OSError, msgspec.MsgspecError) as error:
            found = error.strerror if isinstance(error, OSError) else str(error)
            raise RunFolderError(
                str(self.path),
                f"it cannot be read: {found}",
                "the counts of the rows that the run has committed",
                "Restore it, or start a new run in another folder.",
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
