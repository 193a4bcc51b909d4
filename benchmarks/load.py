"""The load: a local venue in its own process, on loopback."""

import http.client
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from desk.local_venue.venue_stats import VenueStats

START_TIMEOUT_S: Final = 60.0
END_TIMEOUT_S: Final = 20.0
SEED: Final = 1
SYMBOLS: Final = 600
POLL_S: Final = 0.02

_stats = msgspec.json.Decoder(VenueStats)


def standard(rate: float | None, *, single: bool = False, longest_s: float = 3600.0, mix: str = "trades") -> list[str]:
    """The command of the standard load: 600 symbols, Zipf rates, Poisson arrivals, current times, open loop.

    With `rate` None the venue sends as fast as the client reads. It stops by itself after `longest_s`.
    """
    pace = ["--speed", "max"] if rate is None else ["--rate", str(rate)]
    frames = ["--single"] if single else ["--frame-ms", "1"]
    return [
        *("console.cli", "venue", "--standard", "--symbols", str(SYMBOLS), "--seed", str(SEED), "--mix", mix),
        *(*pace, *frames, "--loop", "--restamp", "--seconds", str(longest_s)),
    ]


class Venue:
    """Runs `python -m COMMAND --port 0 --port-file …` while entered; the venue plays once a client subscribes."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._folder = tempfile.TemporaryDirectory()
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self._output = ""

    def __enter__(self) -> Self:
        port_file = Path(self._folder.name) / "port"
        self._process = subprocess.Popen(  # noqa: S603 - this project's own modules
            [sys.executable, "-m", *self._command, "--port", "0", "--port-file", str(port_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self._port = self._wait_for_port(port_file)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running.pid

    @property
    def url(self) -> str:
        """The address of the stream."""
        return f"ws://127.0.0.1:{self._port}/v2/sip"

    def stats(self) -> VenueStats:
        """The venue's current figures. Raises RuntimeError if it has ended, OSError if it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=END_TIMEOUT_S)
        try:
            connection.request("GET", "/stats")
            return _stats.decode(connection.getresponse().read())
        except ConnectionRefusedError as error:
            status = self._running.wait(END_TIMEOUT_S)
            raise RuntimeError(
                f"the venue ended with exit status {status}: python -m {' '.join(self._command)}"
            ) from error
        finally:
            connection.close()

    def stop(self) -> int:
        """Stop the venue, which flushes first. Return how many events it sent."""
        if not self._output:
            process = self._running
            process.terminate()
            self._output, _ = process.communicate(timeout=END_TIMEOUT_S)
        found = re.search(r"\bsent ([\d,]+)", self._output)
        if found is None:
            raise RuntimeError(f"the venue ended without printing its figures (exit status {self._running.returncode})")
        return int(found[1].replace(",", ""))

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the venue has not been entered"
        return self._process

    def _wait_for_port(self, file: Path) -> int:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not file.exists():
            if self._running.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the venue did not start: python -m {' '.join(self._command)}")
            time.sleep(POLL_S)
        return int(file.read_text())

    def _end(self) -> None:
        process = self._running
        if process.poll() is None:
            process.kill()
            process.communicate()
        self._folder.cleanup()
