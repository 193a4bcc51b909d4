"""Processes in waiting: whoever dies has a successor that need not start a process first.

A node's raylet starts worker processes ahead of need when asked to, and gives them to the actors made next; what they
import at their start stands in PRELOAD. Ray has no public call for either.
"""

from logging import Logger
from typing import Any, Final

import grpc  # type: ignore[import-untyped]  # it ships without types
from ray._private.grpc_utils import init_grpc_channel
from ray.core.generated import common_pb2, node_manager_pb2, node_manager_pb2_grpc

PRELOAD: Final = {"RAY_preload_python_modules": "actors.consumer,actors.producer"}
KEEP_S: Final = 86_400
TIMEOUT_S: Final = 2.0


class Spares:
    """Keeps a spare process on the node of this address, "host:port" of its raylet."""

    def __init__(self, address: str, log: Logger) -> None:
        self._channel = init_grpc_channel(address)
        self._call: Any = node_manager_pb2_grpc.NodeManagerServiceStub(self._channel).PrestartWorkers
        self._log = log
        self._refused = False

    def add(self, spares: int) -> None:
        """Have so many more. A raylet that refuses is logged once: without spares, starts take longer."""
        if self._refused or spares < 1:
            return
        python = node_manager_pb2.PrestartWorkersRequest(
            language=common_pb2.PYTHON, num_workers=spares, keep_alive_duration_secs=KEEP_S
        )
        try:
            self._call(python, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            self._refused = True
            self._log.warning("no processes in waiting: %s", error)

    def close(self) -> None:
        """Ask for no more."""
        self._refused = True
        self._channel.close()
