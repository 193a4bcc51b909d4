"""A cluster that Ray's own autoscaler (v2) lets grow and shrink, on this machine.

The autoscaler, the raylets and the demand are real. A made-up part stands for a cloud: the node provider that Ray
keeps for its own tests, which starts a raylet where another would start a machine. Everything listens on loopback.

    python -m benchmarks.autoscaler [--nodes N] [--cpus C] [--idle-s S]

runs it, prints its address, and ends with its stdin.
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
    # So that the nodes, to which the provider gives no address, take the loopback's for theirs.
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
class Room:
    """How far the cluster may grow: `nodes` of `cpus` each beside a head that has none; idle ones leave again."""

    nodes: int = 4
    cpus: int = 1
    idle_s: float = 6.0

    def config(self, gcs_address: str) -> dict[str, Any]:
        """The autoscaler's configuration, as `ray up` would write it for a provider of its own."""
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
    """The cluster in a process of its own while it is entered; `address` is where to join.

    It ends with this process, however that ends.
    """

    def __init__(self, room: Room) -> None:
        self.address = ""
        self._room = room
        self._keeper: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        room = self._room
        flags = ["--nodes", str(room.nodes), "--cpus", str(room.cpus), "--idle-s", str(room.idle_s)]
        self._keeper = subprocess.Popen(  # noqa: S603 - this module
            [sys.executable, "-m", "benchmarks.autoscaler", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._keeper.stdout is not None, "asked for above"
        self.address = self._keeper.stdout.readline().strip()
        if not self.address:
            raise RuntimeError(f"no cluster came up (exit status {self._keeper.wait()})")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._keeper is not None, "the cluster has not been entered"
        self._keeper.communicate(timeout=END_TIMEOUT_S)
        if status := self._keeper.returncode:
            raise RuntimeError(f"the cluster did not end as it should (exit status {status})")


def main() -> None:
    """Be the cluster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=Room.nodes)
    parser.add_argument("--cpus", type=int, default=Room.cpus)
    parser.add_argument("--idle-s", type=float, default=Room.idle_s)
    options = parser.parse_args()
    port, metrics_port = free_ports(2)
    room = Room(options.nodes, options.cpus, options.idle_s)
    with tempfile.TemporaryDirectory(prefix="desk-ray-") as folder:
        config = Path(folder) / "autoscaler.json"
        config.write_text(json.dumps(room.config(f"{LOOPBACK}:{port}")), encoding="utf-8")
        variables = AUTOSCALER | {"AUTOSCALER_METRIC_PORT": str(metrics_port)}
        with RayHead(Path(folder), port, [f"--autoscaling-config={config}"], variables) as head:
            print(head.address, flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
