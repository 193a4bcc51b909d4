"""Kills the processes of a desk's own Ray and removes its folder, once the desk's process has ended.

    python -I -S cleanup.py PID FOLDER [FOLDER ...]

The first folder is Ray's; the others are removed, too.

The processes are found by their environment, which names the folder's token, and by their logs in the folder. This file
runs as a separate program that imports only the standard library: it starts within milliseconds and survives the desk.

Tests: tests/actors/test_ray_folder.py
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator

VARIABLE = "RAY_AUTH_TOKEN_PATH"
TOKEN = "token"  # noqa: S105 - the name of a file
RAY = "r"
KILL_TIMEOUT_S = 5.0


def kill_all(folder: str, timeout_s: float = KILL_TIMEOUT_S) -> None:
    """Kill every process of the Ray in this folder, except this one, and wait until all have ended."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s and (pidfds := list(_members(folder))):
        for pidfd in pidfds:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        for pidfd in pidfds:
            select.select([pidfd], [], [], max(0.0, end_s - time.monotonic()))
            os.close(pidfd)


def _members(folder: str) -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes as long to import as everything else
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            pidfd = os.pidfd_open(int(name))
        except OSError:
            continue
        if _has_token(name, folder) or _writes_below(name, f"{folder}/{RAY}/"):
            yield pidfd
        else:
            os.close(pidfd)


def _has_token(pid: str, folder: str) -> bool:
    """Whether the process's environment names the token; a process that sets its title may have overwritten it."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - as above
            return f"{VARIABLE}={folder}/{TOKEN}\0".encode() in file.read()  # empty when it has ended
    except OSError:
        return False


def _writes_below(pid: str, folder: str) -> bool:
    """Whether the process writes to a file below the folder, as each process of Ray writes to its log."""
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - as above
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{number}").startswith(folder):  # noqa: PTH115 - as above
                    with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as file:  # noqa: PTH123 - as above
                        flags = next(line for line in file if line.startswith("flags:"))
                    if int(flags.split()[1], 8) & os.O_ACCMODE:
                        return True
    return False


def main() -> None:
    """Wait for the desk's end, then clean up."""
    pid, folders = int(sys.argv[1]), sys.argv[2:]
    with contextlib.suppress(ProcessLookupError):
        select.select([os.pidfd_open(pid)], [], [])
    kill_all(folders[0])
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
