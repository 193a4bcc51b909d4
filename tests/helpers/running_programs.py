"""Programs that run beside a test and are ended with it, and waits for what they do."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

DEADLINE_S = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(find: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """The first true value that it returns; what does not listen yet is asked again."""
    end_s = time.monotonic() + deadline_s
    while True:
        try:
            if found := find():
                return found
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass  # it does not listen yet
        assert time.monotonic() < end_s, what
        Event().wait(0.05)


def get(url: str, token: str = "") -> str:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return str(answer.read().decode())


@contextmanager
def running(*command: object, folder: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process, which is ended at the end; what it prints is in `out` of the folder. `more` goes to Popen."""
    folder.mkdir()
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(list(map(str, command)), stdout=out, stderr=out, stdin=subprocess.DEVNULL, **more)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class PrometheusApi:
    """The API of a Prometheus on this machine."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now. Raises HTTPError for one that does not parse."""
        answer = get(f"{self._url}/query?query={urllib.parse.quote(expression)}")
        found: list[dict[str, Any]] = json.loads(answer)["data"]["result"]
        return found

    def by_actor(self, expression: str) -> dict[str, float]:
        """The values of an expression by the label `actor`."""
        return {each["metric"].get("actor", ""): float(each["value"][1]) for each in self.query(expression)}

    def targets(self) -> list[dict[str, Any]]:
        """What it scrapes."""
        found: list[dict[str, Any]] = json.loads(get(f"{self._url}/targets"))["data"]["activeTargets"]
        return found
