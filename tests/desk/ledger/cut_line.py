"""A proxy to a PostgreSQL server that cuts the connection after a COMMIT and before its answer."""

import select
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

SOCKET_NAME = ".s.PGSQL.5432"


class CutLine:
    """Stands between a client and the server in `server`, on a socket in `folder`; breaks `cuts` times."""

    def __init__(self, folder: Path, server: Path, cuts: int) -> None:
        self.host = str(folder)
        self.cuts = cuts
        self._server = str(server / SOCKET_NAME)
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(folder / SOCKET_NAME))
        self._door.listen()
        self._open = True
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        with socket.socket(socket.AF_UNIX) as knock:
            knock.connect(f"{self.host}/{SOCKET_NAME}")
        self._thread.join()
        self._door.close()

    def _serve(self) -> None:
        """One client at a time, as the ledger is."""
        while self._open:
            client, _ = self._door.accept()
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(self._server)
                self._carry(client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        cutting = False
        while True:
            for source in select.select([client, server], [], [])[0]:
                found = source.recv(65536)
                if not found or (cutting and source is server):
                    return
                (server if source is client else client).sendall(found)
                if source is client and b"COMMIT" in found and self.cuts:
                    self.cuts -= 1
                    cutting = True
