"""Queries of Ray's GCS. If it does not answer in time, its last answer to the query is used.

Tests: tests/actors/test_pending_actors.py
"""

import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import grpc  # type: ignore[import-untyped]  # it has no types

from actors.ray_internals.calls import GcsCalls, Node
from desk.model.errors import ClusterLost

TIMEOUT_S: Final = 1.0
PATIENCE_S: Final = 60.0
"""The limit of the wait for a first answer."""
T = TypeVar("T")


class ClusterCapacity(NamedTuple):
    """A cluster's CPUs, total and free, and its number of nodes."""

    cpus: float
    free: float
    nodes: int


class GcsClient:
    """A client of the GCS at this host:port.

    Every method but `has_process` raises ClusterLost if there never was an answer, and the error of `require_alive`.
    """

    def __init__(self, address: str, require_alive: Callable[[], None]) -> None:
        self._require_alive = require_alive
        self._calls = GcsCalls(address, TIMEOUT_S)
        self._last: dict[str, Any] = {}

    def nodes(self) -> list[Node]:
        """The nodes that are alive."""
        return self._answer("nodes", self._calls.nodes)

    def capacity(self) -> ClusterCapacity:
        """The cluster's CPUs, total and free, and its number of nodes."""
        cpus, free = self._answer("cpus", self._calls.cpus), self._answer("free", self._calls.free_cpus)
        return ClusterCapacity(cpus, free, len(self.nodes()))

    def draining(self) -> dict[str, int]:
        """The nodes that are being drained, each with its deadline in ms since the epoch; 0 for none."""
        return self._answer("draining", self._calls.draining)

    def has_process(self, handle: Any) -> bool:
        """Whether this actor has a process, which may still be starting; False if unknown."""
        try:
            return self._calls.has_process(handle)
        except grpc.RpcError:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._calls.close()

    def _answer(self, what: str, call: Callable[[], T]) -> T:
        end_s = time.monotonic() + PATIENCE_S
        while True:
            self._require_alive()
            try:
                self._last[what] = call()
            except grpc.RpcError as error:
                if what not in self._last:
                    if time.monotonic() > end_s:
                        raise _silent(error) from error
                    continue
            last: T = self._last[what]
            return last


def _silent(error: grpc.RpcError) -> ClusterLost:
    return ClusterLost(
        "Ray",
        f"its GCS does not answer: {error.details()}",
        f"an answer within {PATIENCE_S:.0f} s",
        "Check the head node, and run again.",
    )
