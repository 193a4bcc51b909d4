"""Stacks of another process, by py-spy and, where that is not permitted, by a signal that faulthandler answers."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.commands import stacks
from desk.process.stack_dump import request_stacks
from desk.report.diagnosis import Finding, Kind

PROJECT = Path(__file__).parents[2]
CHILD = """
import sys, threading, time
from desk.process.stack_dump import answer_requests

if sys.argv[1] == "answers":
    answer_requests()
    answer_requests()

def hold_the_lock():
    numbers = [(number * 7919 % 1000003) / 7 for number in range(250000)]
    print("ready", flush=True)
    while True:
        sorted(numbers)

def wait():
    time.sleep(3600)

threading.Thread(target=hold_the_lock, name="guilty", daemon=True).start()
wait()
"""


@contextlib.contextmanager
def child(kind: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", CHILD, kind], cwd=PROJECT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def finding(pid: int, kind: Kind) -> Finding:
    return Finding(process="p", pid=pid, hop="", kind=kind, share=1.0, evidence=[], remedy="")


@pytest.mark.parametrize(("kind", "code"), [("interpreter lock", "hold_the_lock"), ("strategy", "wait")])
def test_the_thread_that_holds_the_lock_or_does_the_work_is_accused(kind: Kind, code: str) -> None:
    with child("silent") as process:
        held = stacks.find_holder(finding(process.pid, kind))

    assert held.startswith(f"{code} (")
    assert "of 12 stacks" in held


def test_without_py_spy_the_process_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks.shutil, "which", lambda *_, **__: None)

    with child("answers") as process:
        held = stacks.find_holder(finding(process.pid, "interpreter lock"))
        again = request_stacks(process.pid)

    assert "by faulthandler" in held
    assert "hold_the_lock" in held
    assert "hold_the_lock" in again
    assert again.count("Current thread") == 1


def test_a_process_that_answers_no_requests_gets_no_signal() -> None:
    with child("silent") as process:
        assert request_stacks(process.pid) == ""
        assert process.poll() is None

    assert request_stacks(process.pid) == ""
