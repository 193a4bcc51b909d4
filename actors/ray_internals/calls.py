"""Ray's gRPC services, called with time limits: Ray's own functions wait without limit for a GCS that has died.

Every method that calls a service raises grpc.RpcError after its time limit.

Tests: tests/actors/test_ray_internals.py
"""

import os
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Final, NamedTuple

import grpc  # type: ignore[import-untyped]  # it has no types

from actors.ray_internals import names

MESSAGES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "gcs_service_pb2": {
        "CheckAliveRequest": (),
        "GetAllNodeInfoRequest": (),
        "GetAllNodeInfoReply": ("node_info_list",),
        "GetAllTotalResourcesRequest": (),
        "GetAllTotalResourcesReply": ("resources_list",),
        "GetAllAvailableResourcesRequest": (),
        "GetAllAvailableResourcesReply": ("resources_list",),
        "GetDrainingNodesRequest": (),
        "GetDrainingNodesReply": ("draining_nodes",),
        "DrainingNode": ("node_id", "draining_deadline_timestamp_ms"),
        "GetActorInfoRequest": ("actor_id",),
        "GetActorInfoReply": ("actor_table_data",),
    },
    "gcs_pb2": {
        "GcsNodeInfo": ("node_id", "state", "node_manager_address", "node_manager_port", "ALIVE"),
        "TotalResources": ("resources_total",),
        "AvailableResources": ("resources_available",),
        "ActorTableData": ("address",),
    },
    "node_manager_pb2": {"PrestartWorkersRequest": ("language", "num_workers", "keep_alive_duration_secs")},
    "common_pb2": {"Address": ("ip_address",)},
}
"""The messages used, with their fields and constants, by generated module."""


class Node(NamedTuple):
    """A node of the cluster; `raylet` is host:port of its raylet."""

    id: str
    raylet: str


def generated(module: str) -> ModuleType:
    """Return a module that Ray generates from its protobuf files. Raises PlanError if this Ray lacks it."""
    path = f"ray.core.generated.{module}"
    names.PrivateName(path, "__name__").get()
    return import_module(path)


def channel(address: str, *, token: bool = True) -> grpc.Channel:
    """Open a channel to a service at host:port, with or without this process's token."""
    if token:
        return names.CHANNEL.get()(address)
    if os.environ.get("RAY_USE_TLS", "0").lower() not in {"1", "true"}:
        return grpc.insecure_channel(address)
    certificate, key, root = names.CERTIFICATES.get()()
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(root, key, certificate))


def check_alive(gcs: str, timeout_s: float, *, token: bool = True) -> None:
    """Check that the GCS at this host:port is alive. Raises grpc.RpcError, and Ray's AuthenticationError."""
    with channel(gcs, token=token) as opened:
        stub = names.NODE_INFO.get()(opened)
        stub.CheckAlive(generated("gcs_service_pb2").CheckAliveRequest(), timeout=timeout_s)


class GcsCalls:
    """The calls of the GCS at this host:port."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._channel = channel(address)
        self._messages: Any = generated("gcs_service_pb2")
        self._alive = generated("gcs_pb2").GcsNodeInfo.ALIVE
        self._nodes: Any = names.NODE_INFO.get()(self._channel)
        self._resources: Any = names.RESOURCES.get()(self._channel)
        actors = names.ACTOR_INFO.find()
        self._actors: Any = None if actors is None else actors(self._channel)

    def nodes(self) -> list[Node]:
        """The nodes that are alive."""
        reply = self._nodes.GetAllNodeInfo(self._messages.GetAllNodeInfoRequest(), timeout=self._timeout_s)
        return [
            Node(node.node_id.hex(), f"{node.node_manager_address}:{node.node_manager_port}")
            for node in reply.node_info_list
            if node.state == self._alive
        ]

    def cpus(self) -> float:
        """CPUs of all nodes."""
        request = self._messages.GetAllTotalResourcesRequest()
        reply = self._resources.GetAllTotalResources(request, timeout=self._timeout_s)
        return float(sum(node.resources_total.get("CPU", 0.0) for node in reply.resources_list))

    def free_cpus(self) -> float:
        """Free CPUs of all nodes: not reserved by any task or actor."""
        request = self._messages.GetAllAvailableResourcesRequest()
        reply = self._resources.GetAllAvailableResources(request, timeout=self._timeout_s)
        return float(sum(node.resources_available.get("CPU", 0.0) for node in reply.resources_list))

    def draining(self) -> dict[str, int]:
        """The nodes that are being drained, each with its deadline in ms since the epoch; 0 for none."""
        reply = self._resources.GetDrainingNodes(self._messages.GetDrainingNodesRequest(), timeout=self._timeout_s)
        return {node.node_id.hex(): node.draining_deadline_timestamp_ms for node in reply.draining_nodes}

    def has_process(self, handle: Any) -> bool:
        """Whether the actor of this handle has a process, which may still be starting; False if unknown."""
        if self._actors is None or names.ACTOR_ID.find() is None:
            return False
        request = self._messages.GetActorInfoRequest(actor_id=handle._actor_id.binary())  # noqa: SLF001 - names.ACTOR_ID
        reply = self._actors.GetActorInfo(request, timeout=self._timeout_s)
        return bool(reply.actor_table_data.address.ip_address)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


class SpareProcesses:
    """Lets the raylet at this host:port start worker processes in advance, for the actors created next.

    Raises PlanError if this Ray has no such call.
    """

    def __init__(self, raylet: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        stub = names.SPARE_PROCESSES.get()
        self._channel = channel(raylet)
        self._call: Any = stub(self._channel).PrestartWorkers

    def add(self, count: int, keep_s: int) -> None:
        """Start this number of Python processes; each ends if no actor uses it within `keep_s`."""
        request = generated("node_manager_pb2").PrestartWorkersRequest(
            language=generated("common_pb2").PYTHON, num_workers=count, keep_alive_duration_secs=keep_s
        )
        self._call(request, timeout=self._timeout_s)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()
