"""The server of /metrics and /healthz: the token, its pages, its bounds, and a port in use."""

import os
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from desk.exporters import status_server
from desk.exporters.bearer_file import FILE, metrics_token
from desk.exporters.status_server import CONNECTION_S, MAX_CONNECTIONS, Answer, StatusServer
from desk.model.errors import PlanError, RunFolderError

TOKEN = "t" * 43


def page(accept: str) -> Answer:
    return Answer(200, "text/plain", f"for {accept}\n".encode())


def broken(accept: str) -> Answer:
    return Answer(503, "application/json", b"{}")


@pytest.fixture
def server() -> Iterator[StatusServer]:
    pages = {"/metrics": page, "/healthz": broken}
    with closing(StatusServer("127.0.0.1", 0, "prometheus_port", pages, TOKEN)) as opened:
        yield opened


def get(server: StatusServer, path: str, authorization: str | None) -> tuple[int, str]:
    headers = {"Accept": "anything"} | ({} if authorization is None else {"Authorization": authorization})
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_pages_are_for_the_token_alone(server: StatusServer) -> None:
    assert get(server, "/metrics", f"Bearer {TOKEN}") == (200, "for anything\n")
    assert get(server, "/metrics?a=b", f"bearer {TOKEN}") == (200, "for anything\n")
    assert get(server, "/healthz", f"Bearer {TOKEN}") == (503, "{}")
    assert get(server, "/other", f"Bearer {TOKEN}")[0] == 404


@pytest.mark.parametrize("authorization", [None, "", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"])
@pytest.mark.parametrize("path", ["/metrics", "/other"])
def test_everything_else_is_401(server: StatusServer, path: str, authorization: str | None) -> None:
    status, body = get(server, path, authorization)

    assert status == 401
    assert TOKEN not in body


def test_a_port_in_use_is_one_error_that_names_its_key(server: StatusServer) -> None:
    with pytest.raises(PlanError, match=rf"\[telemetry\] healthz_port: port {server.port} of 127\.0\.0\.1") as caught:
        StatusServer("127.0.0.1", server.port, "healthz_port", {}, TOKEN)

    assert "in use" in str(caught.value)


def test_a_host_that_is_not_this_machine_is_one_error() -> None:
    with pytest.raises(PlanError, match=r"port 9464 of 192\.0\.2\.1"):
        StatusServer("192.0.2.1", 9464, "prometheus_port", {}, TOKEN)


def test_many_idle_connections_do_not_keep_a_scraper_out_for_long(
    server: StatusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_server, "CONNECTION_S", 0.2)
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(2 * MAX_CONNECTIONS)]
    try:
        deadline_s = time.monotonic() + CONNECTION_S / 2  # none is closed for its silence before
        while True:
            try:
                assert get(server, "/metrics", f"Bearer {TOKEN}")[0] == 200
                break
            except OSError:
                assert time.monotonic() < deadline_s
                Event().wait(0.02)
    finally:
        for connection in idle:
            connection.close()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("RAYDESK_STATE_DIR", str(folder))
    return folder


def test_the_token_is_made_once_and_private(state: Path) -> None:
    token, path = metrics_token()

    assert metrics_token() == (token, path)
    assert path == state / FILE
    assert path.read_text() == f"{token}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert len(token) >= 40


def test_desks_that_start_together_have_one_token(state: Path) -> None:
    command = "from desk.exporters.bearer_file import metrics_token; print(metrics_token()[0])"
    started = [
        subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(4)
    ]
    tokens = {process.communicate(timeout=60)[0] for process in started}

    assert len(tokens) == 1
    assert tokens == {metrics_token()[0] + "\n"}


def test_a_token_that_others_can_read_is_refused(state: Path) -> None:
    _, path = metrics_token()
    path.chmod(0o640)

    with pytest.raises(RunFolderError, match="mode 0640"):
        metrics_token()


@pytest.mark.parametrize("content", ["", "short\n"])
def test_a_file_without_a_token_is_refused(state: Path, content: str) -> None:
    _, path = metrics_token()
    path.write_text(content)

    with pytest.raises(PlanError, match="it holds no token"):
        metrics_token()


def test_without_a_state_folder_there_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RAYDESK_STATE_DIR", str(tmp_path / "file" / "state"))

    with pytest.raises(PlanError, match="cannot be kept"):
        metrics_token()
