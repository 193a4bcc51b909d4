"""Start and end of the desk's own Ray, with all its processes and files.

Tests: tests/actors/test_closed_ray.py
"""

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import ray

from actors.own_ray import OBJECT_STORE_BYTES
from actors.own_ray.authentication import EnvironmentVariables, write_token
from actors.own_ray.cleanup import kill_all
from actors.own_ray.machine_limits import require_limits
from actors.own_ray.ray_folder import SESSION, RayFolder, remove_leftovers
from actors.own_ray.ray_process_watch import RayProcessWatch
from actors.ray_internals.names import AGENTS
from actors.ray_internals.starting import RAYLET, init_own_ray
from desk.process.descendants import spared

SET_BY_RAY: Final = ("PYTHONBREAKPOINT",)
KEPT_LOGS: Final = ("gcs_server*", "raylet*", "dashboard_agent*", "runtime_env_agent*", "python-core-driver*")
KEPT_BYTES: Final = 64 * 1024
AGENTS_EVERY_S: Final = 0.05
ALONE_S: Final = 3.0
"""A raylet starts its agents at one moment: an agent missing for this long has already died."""


class OwnRay:
    """A Ray that belongs to this process.

    `lost` is called once, in another thread, with the name of the Ray process that has died; also while Ray starts.
    Create, start and close it in the main thread: Ray's processes die with the thread that started them. Raises
    PlanError if no folder can be created, or limits, memory or disk are too small for this number of consumers. `notes`
    are for the log. If this process is killed, the folders in `others` are removed, too.
    """

    def __init__(self, lost: Callable[[str], None], consumers: int, others: Iterable[Path] = ()) -> None:
        remove_leftovers()
        self.folder = RayFolder()
        try:
            warning = require_limits(consumers, self.folder.path)
        except BaseException:
            self.folder.remove()
            raise
        self.notes = [note for note in (self.folder.note, warning) if note]
        self._lost = lost
        self._lost_lock = threading.Lock()
        self._cleaner = _start_cleaner([self.folder.path, *others])
        spared.add(self._cleaner.pid)
        self._environment: EnvironmentVariables | None = None
        self._watch = RayProcessWatch(self._report)
        self._started = threading.Event()

    def start(self, cpus: int, namespace: str, environment: Mapping[str, str]) -> None:
        """Start Ray with this environment. Raises as `init_own_ray`."""
        kept = {name: os.environ.get(name) for name in SET_BY_RAY}
        self._environment = EnvironmentVariables({**kept, **environment, **write_token(self.folder.token)})
        init_own_ray(
            self.folder.for_ray,
            SESSION,
            self._add,
            namespace=namespace,
            num_cpus=cpus,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )
        self._started.set()

    def pids(self) -> dict[str, int]:
        """The processes of this Ray, by name: raylet, gcs_server, agents."""
        return self._watch.pids()

    def kill(self) -> None:
        """Kill every process of this Ray at once, including those that are no longer children of this process."""
        kill_all(str(self.folder.path))

    def keep_logs(self, into: Path) -> None:
        """Copy the ends of the readable logs of Ray's processes into this folder."""
        with contextlib.suppress(OSError):
            into.mkdir(mode=0o700, exist_ok=True)
            for pattern in KEPT_LOGS:
                for log in sorted(self.folder.logs.glob(pattern)):
                    _copy_end(log, into / log.name)

    def remove(self) -> None:
        """Remove the folder of a killed Ray."""
        shutil.rmtree(self.folder.path, ignore_errors=True)

    def close(self) -> None:
        """End Ray and remove its folder. No other thread may be inside a call of Ray: that would end the process."""
        self._started.set()
        self._lost_lock.acquire(blocking=False)  # deaths from here on are intended
        ray.shutdown()
        self.kill()
        if self._environment is not None:
            self._environment.restore()
        self.folder.remove()
        self._cleaner.kill()
        self._cleaner.wait()
        spared.discard(self._cleaner.pid)
        self._watch.close()

    def _add(self, kind: str, pid: int) -> None:
        self._watch.add(kind, pid)
        if kind == RAYLET:
            threading.Thread(target=self._find_agents, args=(pid,), name="ray-agents", daemon=True).start()

    def _find_agents(self, raylet: int) -> None:
        """Watch both agents. If one died before it was found, the raylet notices after 15 s."""
        alone_s = 0.0
        while (found := self._watch.add_agents(raylet)) < len(AGENTS) and not self._started.wait(AGENTS_EVERY_S):
            if found and not alone_s:
                alone_s = time.monotonic()
            if alone_s and time.monotonic() - alone_s > ALONE_S:
                self._report("agent")
                return
        self._watch.add_agents(raylet)

    def _report(self, name: str) -> None:
        if self._lost_lock.acquire(blocking=False):
            self._lost(name)


def _copy_end(log: Path, to: Path) -> None:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - KEPT_BYTES))
        to.write_bytes(file.read(KEPT_BYTES))
    to.chmod(0o600)


def _start_cleaner(folders: list[Path]) -> "subprocess.Popen[bytes]":
    """Start the process that cleans up if this one is killed; it is not a process of Ray."""
    program = Path(__file__).with_name("cleanup.py")
    return subprocess.Popen(  # noqa: S603 - a program of this package
        [sys.executable, "-I", "-S", str(program), str(os.getpid()), *map(str, folders)],
        cwd="/",
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
