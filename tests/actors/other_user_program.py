"""A program of another user of the machine that tries to reach the sockets of a desk.

    python tests/actors/other_user_program.py UID

Reads from stdin, as JSON, the ports of the listeners, the addresses of the machine, the paths of Unix sockets and of
files that should be out of reach. Prints, as JSON, what was reachable: an empty list where nothing was.
"""

import http.client
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import grpc

from actors.ray_internals.calls import generated

common_pb2 = generated("common_pb2")
core_worker_pb2 = generated("core_worker_pb2")
core_worker_pb2_grpc = generated("core_worker_pb2_grpc")
gcs_service_pb2 = generated("gcs_service_pb2")
gcs_service_pb2_grpc = generated("gcs_service_pb2_grpc")
node_manager_pb2 = generated("node_manager_pb2")
node_manager_pb2_grpc = generated("node_manager_pb2_grpc")
reporter_pb2 = generated("reporter_pb2")
reporter_pb2_grpc = generated("reporter_pb2_grpc")

TIMEOUT_S = 3.0
HTTP_PATHS = ("/", "/metrics", "/api/jobs/", "/api/job_agent/jobs/", "/get_or_create_runtime_env", "/logs")
TURNED_AWAY = {401, 403}
NOT_HERE = {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE}
"""The service is on another port, or the port speaks HTTP."""


def grpc_calls(channel: Any) -> list[tuple[str, Any, Any]]:
    gcs = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
    storage = gcs_service_pb2_grpc.InternalKVGcsServiceStub(channel)
    raylet = node_manager_pb2_grpc.NodeManagerServiceStub(channel)
    pull = channel.unary_unary("/ray.rpc.ObjectManagerService/Pull")  # the wheel has no stub for it
    worker = core_worker_pb2_grpc.CoreWorkerServiceStub(channel)
    reporter = reporter_pb2_grpc.ReporterServiceStub(channel)
    return [
        ("CheckAlive", gcs.CheckAlive, gcs_service_pb2.CheckAliveRequest()),
        ("GetAllNodeInfo", gcs.GetAllNodeInfo, gcs_service_pb2.GetAllNodeInfoRequest()),
        ("InternalKVKeys", storage.InternalKVKeys, gcs_service_pb2.InternalKVKeysRequest(prefix=b"")),
        ("InternalKVPut", storage.InternalKVPut, gcs_service_pb2.InternalKVPutRequest(key=b"stranger", value=b"1")),
        ("GetNodeStats", raylet.GetNodeStats, node_manager_pb2.GetNodeStatsRequest()),
        (
            "PrestartWorkers",
            raylet.PrestartWorkers,
            node_manager_pb2.PrestartWorkersRequest(language=common_pb2.PYTHON, num_workers=1),
        ),
        ("Pull", pull, b""),
        ("GetCoreWorkerStats", worker.GetCoreWorkerStats, core_worker_pb2.GetCoreWorkerStatsRequest()),
        ("GetTraceback", reporter.GetTraceback, reporter_pb2.GetTracebackRequest(pid=os.getpid())),
    ]


def reached(port: int, tokens: list[str | None]) -> list[str]:
    """What answered on this port otherwise than by turning the caller away; also when nothing was turned away."""
    found = []
    turned_away = 0
    for token in tokens:
        metadata = [("authorization", f"Bearer {token}")] if token else []
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            for name, call, request in grpc_calls(channel):
                try:
                    call(request, timeout=TIMEOUT_S, metadata=metadata)
                    found.append(f"{port} {name} {token}")
                except grpc.RpcError as error:
                    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                        turned_away += 1
                    elif error.code() not in NOT_HERE:
                        found.append(f"{port} {name} {token}: {error.code()}")
        for path, status in pages(port, token):
            if status in TURNED_AWAY:
                turned_away += 1
            else:
                found.append(f"{port} {path} {token}: {status}")
    return found if turned_away else [*found, f"{port} speaks something else"]


def pages(port: int, token: str | None) -> list[tuple[str, int]]:
    """How this port answers to HTTP with this token; empty where it speaks something else."""
    found = []
    for path in HTTP_PATHS:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
        found.append((path, status))
    return found


def connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), TIMEOUT_S).close()
    except OSError:
        return False
    return True


def joins(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(TIMEOUT_S)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def reads(path: str) -> bool:
    try:
        Path(path).open("rb").close()
    except OSError:
        return False
    return True


def main() -> None:
    asked = json.load(sys.stdin)
    ready = grpc.insecure_channel("127.0.0.1:1")  # what is imported lazily is out of reach afterwards
    ready.close()
    os.setgroups([])
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
    found = [line for port in asked["ports"] for line in reached(port, [None, "0" * 64])]
    found += [f"{host} {port}" for host in asked["hosts"] for port in asked["ports"] if connects(host, port)]
    found += [path for path in asked["sockets"] if joins(path)]
    found += [path for path in asked["files"] if reads(path)]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
