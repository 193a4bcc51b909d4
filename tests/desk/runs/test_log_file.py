"""A log that cannot be written: the run continues and reports it."""

import logging
import os
from pathlib import Path

import pytest

from desk.runs.log_file import LogFile


def test_lines_that_are_lost_are_counted_and_reported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "desk.log"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="symbolic links"):
        LogFile(path)
    path.unlink()
    handler = LogFile(path)
    full = os.open("/dev/full", os.O_WRONLY)
    kept = handler._descriptor
    log = logging.Logger("test")  # noqa: LOG001 - of this test alone
    log.addHandler(handler)

    log.info("before")
    handler._descriptor = full
    log.info("lost")
    log.info("lost, too")
    handler._descriptor = kept
    log.info("after")
    handler.close()
    os.close(full)

    assert path.read_text() == "before\nafter\n"
    assert capsys.readouterr().err == f"error: {path}: lines are lost: No space left on device\n"
    assert handler.fault == f"{path}: 2 lines were lost: No space left on device"
