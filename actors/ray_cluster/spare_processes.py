"""Spare processes: a restarted actor uses one, and does not wait for a process to start.

The node's raylet starts them in advance; WORKERS names their imports.

Tests: tests/actors/test_ray_internals.py
"""

from logging import Logger
from typing import Final

import grpc  # type: ignore[import-untyped]  # it has no types

from actors.ray_internals.calls import SpareProcesses
from desk.model.errors import PlanError

KEEP_S: Final = 86_400
TIMEOUT_S: Final = 2.0


class SparePool:
    """Keeps a spare process on the node of the raylet at this "host:port".

    An error of the raylet is logged once: without spares, restarts take longer.
    """

    def __init__(self, address: str, log: Logger) -> None:
        self._log = log
        self._processes: SpareProcesses | None = None
        try:
            self._processes = SpareProcesses(address, TIMEOUT_S)
        except PlanError as fault:
            log.warning("no spare processes: %s", fault)

    def add(self, spares: int) -> None:
        """Start this number of spare processes."""
        if self._processes is None or spares < 1:
            return
        try:
            self._processes.add(spares, KEEP_S)
        except grpc.RpcError as error:
            self._log.warning("no spare processes: %s", error)
            self.close()

    def close(self) -> None:
        """Stop keeping spares."""
        if self._processes is not None:
            self._processes.close()
            self._processes = None
