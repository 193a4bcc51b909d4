"""The heartbeat: fetched while the desk is healthy, and only then; failures are counted."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread

import pytest

from desk.exporters.desk_health import Health
from desk.exporters.export_failures import ExportFailures
from desk.exporters.heartbeat import Heartbeat

LOG = logging.getLogger("raydesk.test")


@contextmanager
def monitor(status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A monitoring service that notes the requests and answers with this status."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ping/key", paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline_s = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline_s
        Event().wait(0.01)


def test_it_beats_while_the_desk_is_healthy() -> None:
    asked = 0
    why = "the desk is starting"

    def health() -> Health:
        nonlocal asked
        asked += 1
        return Health("running", why, 0.0)

    outcome = ExportFailures("the heartbeat", LOG)
    with monitor() as (url, paths), closing(Heartbeat(url, health, outcome, every_s=0.01)):
        until(lambda: asked > 3)
        assert paths == []
        why = ""
        until(lambda: len(paths) > 2)

    assert set(paths) == {"/ping/key"}
    assert outcome.failures == 0


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_is_counted_and_does_not_show_the_url(status: int) -> None:
    outcome = ExportFailures("the heartbeat", LOG)
    with monitor(status) as (url, _), closing(Heartbeat(url, lambda: Health("running", "", 0.0), outcome, 0.01)):
        until(lambda: outcome.failures > 1)

    (warning,) = outcome.warnings()
    assert str(status) in warning
    assert "key" not in warning


def test_an_unreachable_monitor_is_counted() -> None:
    outcome = ExportFailures("the heartbeat", LOG)
    with closing(Heartbeat("http://127.0.0.1:9/key", lambda: Health("running", "", 0.0), outcome, 0.01)):
        until(lambda: outcome.failures > 1)

    assert "key" not in outcome.warnings()[0]
