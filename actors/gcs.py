"""What Ray's GCS knows of the cluster, asked with a time limit: Ray's own calls wait for a GCS that has died."""

import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import grpc  # type: ignore[import-untyped]  # it ships without types
from ray._private.grpc_utils import init_grpc_channel
from ray.core.generated import gcs_pb2, gcs_service_pb2, gcs_service_pb2_grpc

from desk.model.errors import ClusterLost

TIMEOUT_S: Final = 1.0
PATIENCE_S: Final = 60.0
"""So long a first answer is waited for."""
ALIVE: Final = gcs_pb2.GcsNodeInfo.ALIVE


class Room(NamedTuple):
    """What a cluster has of CPUs, in all and free, on how many nodes."""

    cpus: float
    free: float
    nodes: int


class Gcs:
    """Asks the GCS at this host:port. Where it does not answer in time, its last answer of the kind stands.

    Every method but `has_process` raises ClusterLost where there never was an answer, and what `require_alive` raises.
    """

    def __init__(self, address: str, require_alive: Callable[[], None]) -> None:
        self._require_alive = require_alive
        self._channel = init_grpc_channel(address)  # with the token
        self._nodes: Any = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(self._channel)
        self._resources: Any = gcs_service_pb2_grpc.NodeResourceInfoGcsServiceStub(self._channel)
        self._actors: Any = gcs_service_pb2_grpc.ActorInfoGcsServiceStub(self._channel)
        self._last: dict[str, Any] = {}

    def nodes(self) -> list[Any]:
        """The nodes that are alive, as GcsNodeInfo."""
        reply = self._answer("nodes", self._nodes.GetAllNodeInfo, gcs_service_pb2.GetAllNodeInfoRequest())
        return [node for node in reply.node_info_list if node.state == ALIVE]

    def room(self) -> Room:
        """CPUs in all and free, and the number of nodes."""
        resources, messages = self._resources, gcs_service_pb2
        total = self._answer("total", resources.GetAllTotalResources, messages.GetAllTotalResourcesRequest())
        free = self._answer("free", resources.GetAllAvailableResources, messages.GetAllAvailableResourcesRequest())
        return Room(
            sum(node.resources_total.get("CPU", 0.0) for node in total.resources_list),
            sum(node.resources_available.get("CPU", 0.0) for node in free.resources_list),
            len(self.nodes()),
        )

    def draining(self) -> dict[str, int]:
        """The nodes that are drained, each with its deadline in ms since the epoch; 0 where there is none."""
        reply = self._answer("draining", self._resources.GetDrainingNodes, gcs_service_pb2.GetDrainingNodesRequest())
        return {node.node_id.hex(): node.draining_deadline_timestamp_ms for node in reply.draining_nodes}

    def has_process(self, actor_id: bytes) -> bool:
        """Whether this actor has got a process, which may still be starting; False where that is not known."""
        try:
            reply = self._actors.GetActorInfo(gcs_service_pb2.GetActorInfoRequest(actor_id=actor_id), timeout=TIMEOUT_S)
        except grpc.RpcError:
            return False
        return bool(reply.actor_table_data.address.ip_address)

    def close(self) -> None:
        """Ask no more."""
        self._channel.close()

    def _answer(self, what: str, call: Any, request: Any) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while True:
            self._require_alive()
            try:
                self._last[what] = call(request, timeout=TIMEOUT_S)
            except grpc.RpcError as error:
                if what not in self._last:
                    if time.monotonic() > end_s:
                        raise _silent(error) from error
                    continue
            return self._last[what]


def _silent(error: grpc.RpcError) -> ClusterLost:
    return ClusterLost(
        "Ray",
        f"its GCS does not answer: {error.details()}",
        f"an answer within {PATIENCE_S:.0f} s",
        "Look at the head node, and run again.",
    )
