"""A log that the disk does not take, or takes slowly: the run continues, and reports what is lost."""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from log_lines import log_lines

from desk.model.log_line import LogLine, fields
from desk.runs.line_limit import KINDS, LineLimit, line_kind
from desk.runs.log_file import FLUSH_S, LogFile

DEADLINE_S = 20.0
MANY = 5_000


def until(reached: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.005)


def logger_to(handler: LogFile) -> logging.Logger:
    handler.setFormatter(LogLine())
    log = logging.Logger("test")  # noqa: LOG001 - of this test alone
    log.addHandler(handler)
    return log


def read_all(reader: int) -> bool:
    with suppress(BlockingIOError):
        while os.read(reader, 65_536):
            pass
    return True


@pytest.fixture
def blocked(tmp_path: Path) -> Iterator[tuple[LogFile, int]]:
    """A log into a pipe that is full, and the end that nothing reads."""
    path = tmp_path / "desk.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    handler = LogFile(path, queue_lines=100)
    filler = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while os.write(filler, bytes(65_536)):
            pass
    os.close(filler)
    yield handler, reader
    handler.close()
    os.close(reader)


def test_lines_that_are_lost_are_counted_and_reported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "desk.log"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="symbolic links"):
        LogFile(path)
    path.unlink()
    handler = LogFile(path)
    full = os.open("/dev/full", os.O_WRONLY)
    kept = handler._descriptor
    log = logger_to(handler)

    log.info("before")
    handler.flush()
    handler._descriptor = full
    log.info("lost")
    log.info("lost, too")
    handler.flush()
    handler._descriptor = kept
    log.info("after")
    handler.close()
    os.close(full)

    assert [line["event"] for line in log_lines(path)] == ["before", "after"]
    assert capsys.readouterr().err == f"error: {path}: lines are lost: No space left on device\n"
    assert handler.fault == f"{path}: 2 lines were lost: No space left on device"
    assert handler.dropped == {"rate": 0, "full": 0, "write": 2, "late": 0}


def test_a_disk_that_is_full_in_the_middle_of_a_line_tears_only_that_line(tmp_path: Path) -> None:
    path = tmp_path / "desk.log"
    code = f"""
import logging, resource, signal, sys
from pathlib import Path
from desk.model.log_line import LogLine
from desk.runs.log_file import LogFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
handler = LogFile(Path({str(path)!r}))
handler.setFormatter(LogLine())
log = logging.Logger("test")
log.addHandler(handler)
resource.setrlimit(resource.RLIMIT_FSIZE, (50, resource.RLIM_INFINITY))
log.info("torn")
handler.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.info("whole")
handler.close()
print(handler.dropped["write"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    torn, whole = path.read_text().splitlines()
    assert len(torn) == 50
    assert '"event": "whole"' in whole
    assert whole.startswith("{")
    assert done.stdout == "1\n"


def test_a_pipe_that_is_full_never_blocks_logging_and_drops_and_counts(
    blocked: tuple[LogFile, int], capsys: pytest.CaptureFixture[str]
) -> None:
    handler, reader = blocked
    log = logger_to(handler)
    done = threading.Event()

    def flood() -> None:
        for number in range(MANY):
            log.info(f"event {'x' * (number % 7)} {'y' * (number // 7)}")  # noqa: G004 - each of a kind of its own
        done.set()

    threading.Thread(target=flood, daemon=True).start()
    assert done.wait(DEADLINE_S), "logging waits for the pipe"
    began_s = time.monotonic()
    handler.flush()
    handler.flush()
    took_s = time.monotonic() - began_s

    assert FLUSH_S <= took_s < 2 * FLUSH_S  # the second flush does not wait for the same write again
    kept = MANY - handler.dropped["rate"]
    assert handler.dropped["full"] == kept - 100
    assert handler.fault.endswith(f"{kept:,} lines were lost: writing is too slow")  # those that wait are lost, so far
    assert capsys.readouterr().err == ""  # stderr may be as full as the pipe
    until(lambda: read_all(reader) and not handler._waiting, "the writing of the lines that waited")
    handler.close()
    assert handler.fault.endswith(f"{kept - 100:,} lines were lost: writing is too slow")
    assert capsys.readouterr().err.count("error:") == 1


def test_a_pipe_without_a_reader_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "desk.log")

    with pytest.raises(OSError, match="No such device"):
        LogFile(tmp_path / "desk.log")


def test_a_close_of_a_blocked_log_ends_in_time_and_reports_what_is_too_late(
    blocked: tuple[LogFile, int], capsys: pytest.CaptureFixture[str]
) -> None:
    handler, _ = blocked
    log = logger_to(handler)
    log.info("one")
    log.info("two")

    began_s = time.monotonic()
    handler.close()

    assert time.monotonic() - began_s < FLUSH_S + DEADLINE_S / 2
    assert handler.dropped["late"] == 2
    assert handler.fault.endswith("2 lines were lost: a write has not ended within 2 s")
    assert capsys.readouterr().err.count("lines are lost") == 1


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("raise RuntimeError", 1),
        ("signal.raise_signal(signal.SIGTERM)", 128 + signal.SIGTERM),
    ],
)
def test_lines_are_written_whatever_ends_the_process(tmp_path: Path, end: str, status: int) -> None:
    code = f"""
import signal
from pathlib import Path
from desk.process.signals import StopSignals
from desk.runs import RunFolder
from desk.wiring.run_end import open_log
StopSignals().catch()
folder = RunFolder(Path({str(tmp_path)!r}))
log = open_log(folder)
for number in range(1000):
    log.info(f"line {{'i' * number}}")
{end}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == status, done.stderr
    assert len(log_lines(tmp_path / "desk.log")) == 1000


def test_lines_of_a_kind_are_limited_and_the_rest_is_one_line(tmp_path: Path) -> None:
    handler = LogFile(tmp_path / "desk.log", LineLimit(lines=3, interval_s=3_600.0))
    log = logger_to(handler)

    for number in range(10):
        log.warning("order %d is late", number)
        log.warning("%s", f"shard {number} waits {number}.5 s")
    log.error("%s", "shard 1 waits 2.5 s")
    handler.close()

    lines = log_lines(tmp_path / "desk.log")
    assert [line["event"] for line in lines if line["level"] == "WARNING"] == [
        *(text for number in range(3) for text in (f"order {number} is late", f"shard {number} waits {number}.5 s")),
        "7 more lines like this one within 3600 s: order %d is late",
        "7 more lines like this one within 3600 s: shard # waits # s",
    ]
    assert [line["event"] for line in lines if line["level"] == "ERROR"] == ["shard 1 waits 2.5 s"]
    assert handler.dropped["rate"] == 14
    assert handler.fault == ""


def test_held_lines_are_reported_when_the_interval_is_over_though_nothing_else_is_logged(tmp_path: Path) -> None:
    handler = LogFile(tmp_path / "desk.log", LineLimit(lines=1, interval_s=0.2))
    log = logger_to(handler)
    log.info("%s", "a")
    log.info("%s", "a")
    log.info("%s", "a")

    until(lambda: "2 more lines" in (tmp_path / "desk.log").read_text(), "a report")
    log.info("%s", "a")
    handler.close()

    assert [line["event"] for line in log_lines(tmp_path / "desk.log")][-1] == "a"


def test_a_limit_remembers_a_bounded_number_of_kinds() -> None:
    limit = LineLimit(lines=2)
    records = [logging.LogRecord("x", logging.INFO, "", 0, f"{'i' * n}", None, None) for n in range(1, KINDS + 10)]

    admitted = [limit.admits(line_kind(record)) for record in records]

    assert all(admitted[: KINDS + 1])
    assert not any(admitted[KINDS + 2 :])
    [held] = limit.ended(1.0)
    assert (held.kind.template, held.lines) == ("lines of other kinds", len(records) - KINDS - 2)


def test_a_line_has_time_level_logger_event_fields_and_traceback(tmp_path: Path) -> None:
    handler = LogFile(tmp_path / "desk.log")
    log = logger_to(handler)
    handler.setFormatter(LogLine(lambda text: text.replace("hunter22", "***")))

    log.info("%s runs in process %d", "consumer-00", 7, extra=fields(actor="consumer-00", pid=7, word="hunter22"))
    fault = ValueError("the key hunter22\x1b[2J\nFORGED")
    log.error("failed with hunter22", exc_info=fault)
    handler.close()

    first, second = log_lines(tmp_path / "desk.log")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
    assert abs(datetime.fromisoformat(first["time"]).timestamp() - time.time()) < DEADLINE_S
    assert {name: value for name, value in first.items() if name != "time"} == {
        "level": "INFO",
        "logger": "test",
        "event": "consumer-00 runs in process 7",
        "actor": "consumer-00",
        "pid": 7,
        "word": "***",
    }
    assert second["event"] == "failed with ***"
    assert second["traceback"].splitlines()[-2:] == ["ValueError: the key ***\\x1b[2J", "FORGED"]
    assert "hunter22" not in (tmp_path / "desk.log").read_text()
