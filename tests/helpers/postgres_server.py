"""A private PostgreSQL server for tests: on a Unix socket in its own folder, stopped by process id."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest

START_DEADLINE_S = 60.0
PASSWORD = "swordfish"
# All roles connect without a password, except `locked`.
HBA = "local all locked scram-sha-256\nlocal all all trust\n"


class PostgresServer:
    """A server run from `programs` with its data, log and socket in `folder`, as the system's user `user`."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self.folder = folder
        self._programs = programs
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._schemas = count(1)

    def make(self) -> None:
        """Create the data folder and the role that needs a password, and start the server."""
        data = str(self.folder / "data")
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [self._programs / "initdb", "-D", data, *options],
            user=self._user,
            cwd=self.folder,
            check=True,
            capture_output=True,
        )
        (self.folder / "data" / "pg_hba.conf").write_text(HBA)
        self.start()
        self.execute(f"CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = ["fsync=off", "listen_addresses=", f"unix_socket_directories={self.folder}", "max_connections=20"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *(f"--{setting}" for setting in settings)],
                user=self._user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        end_s = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > end_s or self._process.poll() is not None:
                    pytest.fail(f"no server: {(self.folder / 'server.log').read_text()[-2000:]}")
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop the server at once, like a crash: clients are disconnected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Execute and commit one statement, and return its rows."""
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return [] if cursor.description is None else cursor.fetchall()

    def kill_backends(self, name: str = "raydesk") -> int:
        """Kill (SIGKILL) the server processes of clients of this name, and return their number.

        The server then ends its other processes and restarts, as after a crash.
        """
        found = self.execute(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'")
        for (pid,) in found:
            os.kill(int(str(pid)), signal.SIGKILL)
        return len(found)

    def url(self, role: str = "postgres", host: str | None = None, **options: str) -> str:
        """A ledger URL of this server, without a password."""
        parameters = {"host": host or str(self.folder)} | options
        return f"postgresql+psycopg://{role}@/postgres?{urlencode(parameters, safe='/')}"

    def fresh_url(self, **options: str) -> str:
        """A ledger URL of a new, empty schema."""
        schema = f"ledger_{next(self._schemas)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.url(options=f"-csearch_path={schema}", **options)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server. The test is skipped where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed here: .ci/packages installs one on Debian")
    # PostgreSQL refuses to run as root. The socket's path must be short.
    user = _other_user() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="desk-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        server = PostgresServer(programs, folder, user)
        try:
            server.make()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    """The folder of the newest installed server's programs."""
    on_path = shutil.which("postgres")
    if on_path is not None:
        return Path(on_path).resolve().parent
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(debian, key=lambda path: int(path.parent.name), default=None)


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)
