"""A cluster on this machine, resized by Ray's own autoscaler (v2).

The autoscaler and the raylets are real. Only the cloud is simulated, by the node provider of Ray's own tests: it starts
a raylet where a cloud provider would start a machine. All ports are on loopback.

    python -m benchmarks.autoscaler [--nodes N] [--cpus C] [--idle-s S]

starts the cluster, prints its address, and stops it when stdin closes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from actors.ray_internals import names
from benchmarks.ray_head import LOOPBACK, STORE_BYTES, RayHead, free_ports

END_TIMEOUT_S: Final = 60.0
FAKE_HEAD_NODE_ID: Final[str] = names.FAKE_HEAD_ID.get()
FAKE_HEAD_NODE_TYPE: Final[str] = names.FAKE_HEAD_TYPE.get()
AUTOSCALER: Final = {
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    "RAY_enable_autoscaler_v2": "1",
    "RAY_FAKE_CLUSTER": "1",
    "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
    # The provider assigns no addresses: with this, nodes use the loopback address.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
COMMANDS: Final = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)


@dataclass(frozen=True)
class ClusterSize:
    """At most `nodes` of `cpus` each, removed after `idle_s` without work; the head has no CPUs."""

    nodes: int = 4
    cpus: int = 1
    idle_s: float = 6.0

    def config(self, gcs_address: str) -> dict[str, Any]:
        """The autoscaler's configuration, as `ray up` would write it for an external provider."""
        return {
            "cluster_name": "desk-on-one-machine",
            "max_workers": self.nodes,
            "upscaling_speed": float(self.nodes),
            "idle_timeout_minutes": self.idle_s / 60,
            "provider": {
                "type": "external",
                "module": f"{names.FAKE_NODES.module}.{names.FAKE_NODES.name}",
                "gcs_address": gcs_address,
                "head_node_id": FAKE_HEAD_NODE_ID,
                "launch_multiple": True,
                "disable_node_updaters": True,
            },
            "auth": {"ssh_user": "nobody"},
            "head_node_type": FAKE_HEAD_NODE_TYPE,
            "available_node_types": {
                FAKE_HEAD_NODE_TYPE: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
                "worker": {
                    "resources": {"CPU": self.cpus, "object_store_memory": STORE_BYTES},
                    "node_config": {},
                    "min_workers": 0,
                    "max_workers": self.nodes,
                },
            },
            "cluster_synced_files": [],
            "file_mounts": {},
            **{command: [] for command in COMMANDS},
        }


class AutoscaledCluster:
    """Context manager that runs the cluster in its own process; `address` is where to join.

    The cluster stops when this process ends, even by a kill.
    """

    def __init__(self, size: ClusterSize) -> None:
        self.address = ""
        self._size = size
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        size = self._size
        flags = ["--nodes", str(size.nodes), "--cpus", str(size.cpus), "--idle-s", str(size.idle_s)]
        self._process = subprocess.Popen(  # noqa: S603 - this module
            [sys.executable, "-m", "benchmarks.autoscaler", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None, "requested by stdout=PIPE"
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError(f"the cluster did not start (exit status {self._process.wait()})")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None, "the cluster has not been entered"
        self._process.communicate(timeout=END_TIMEOUT_S)
        if status := self._process.returncode:
            raise RuntimeError(f"the cluster failed while stopping (exit status {status})")


def main() -> None:
    """Run the cluster until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=ClusterSize.nodes)
    parser.add_argument("--cpus", type=int, default=ClusterSize.cpus)
    parser.add_argument("--idle-s", type=float, default=ClusterSize.idle_s)
    options = parser.parse_args()
    port, metrics_port = free_ports(2)
    size = ClusterSize(options.nodes, options.cpus, options.idle_s)
    with tempfile.TemporaryDirectory(prefix="desk-ray-") as folder:
        config = Path(folder) / "autoscaler.json"
        config.write_text(json.dumps(size.config(f"{LOOPBACK}:{port}")), encoding="utf-8")
        variables = AUTOSCALER | {"AUTOSCALER_METRIC_PORT": str(metrics_port)}
        with RayHead(Path(folder), port, [f"--autoscaling-config={config}"], variables) as head:
            print(head.address, flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
