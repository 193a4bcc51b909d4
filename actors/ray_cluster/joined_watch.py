"""Watches Ray's processes on this node of a cluster that the desk has joined.

The raylet, its agents, and a GCS on this machine are found by their command lines. A GCS on another machine is checked
by connecting to it.

Tests: tests/actors/test_joining.py
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import ray

from actors.own_ray.ray_process_watch import RayProcessWatch
from actors.ray_internals.names import GCS_SESSION_FLAG, RAYLET_SOCKET_FLAG

LOOK_EVERY_S: Final = 2.0
PATIENCE_S: Final = 30.0
"""The time in which a GCS (with external storage) may restart; Ray ends the driver after 60 s."""


class JoinedRayWatch:
    """Calls `lost` once with the name of the process that has died. Create it when connected to the cluster."""

    def __init__(self, lost: Callable[[str], None]) -> None:
        self._watch = RayProcessWatch(lost)
        self._lost = lost
        self._closed = threading.Event()
        context = ray.get_runtime_context()
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray has no types for it
        (raylet,) = (node["RayletSocketName"] for node in nodes if node["NodeID"] == context.get_node_id())
        session = context.get_session_name()
        here = False
        for pid, command in _commands():
            if command[0].endswith("/raylet") and f"{RAYLET_SOCKET_FLAG}={raylet}" in command:
                self._watch.add("raylet", pid)
                self._watch.add_agents(pid)
            elif command[0].endswith("/gcs_server") and f"{GCS_SESSION_FLAG}={session}" in command:
                self._watch.add("gcs_server", pid)
                here = True
        if not here:
            host, _, port = context.gcs_address.rpartition(":")
            threading.Thread(target=self._look, args=(host.strip("[]"), int(port)), name="gcs", daemon=True).start()

    def pids(self) -> dict[str, int]:
        """Ray's processes on this node, by name."""
        return self._watch.pids()

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        self._watch.close()

    def _look(self, host: str, port: int) -> None:
        answered_s = time.monotonic()
        while not self._closed.wait(LOOK_EVERY_S):
            with contextlib.suppress(OSError):
                socket.create_connection((host, port), LOOK_EVERY_S).close()
                answered_s = time.monotonic()
            if time.monotonic() - answered_s > PATIENCE_S:
                self._lost("gcs_server")
                return


def _commands() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().decode(errors="replace")
                yield int(folder.name), line.split("\0")
