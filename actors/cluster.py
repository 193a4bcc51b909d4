"""Starting or joining Ray, creating actors, ending them."""

import os
import re
import socket
import time
from collections.abc import Mapping
from logging import Logger
from typing import Any, Final, NamedTuple

import ray
from ray._private.state import state
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.meters import RayMeters
from actors.ray_folder import RayFolder
from actors.spares import PRELOAD, Spares
from desk.model.errors import PlanError

OBJECT_STORE_BYTES: Final = 128 * 1024 * 1024
NAME_TIMEOUT_S: Final = 10.0
NAME_RETRY_S: Final = 0.02

# What every process of the desk lives by. String hashes must not differ between incarnations of a shard, and
# worker processes at Ray's default niceness of 15 would give way to anything else on the machine.
ENVIRONMENT: Final = {
    "PYTHONHASHSEED": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_worker_num_grpc_internal_threads": "1",
}

ADDRESS_VARIABLE: Final = "RAY_ADDRESS"
NAMES: Final = ("auto", "local")
HOST_AND_PORT: Final = re.compile(r"(?P<host>[^\s:/]+|\[[^\s\]]+\]):(?P<port>[0-9]{1,5})")
LISTENER_TIMEOUT_S: Final = 5.0


class Room(NamedTuple):
    """What a cluster has of CPUs, in all and free, on how many nodes."""

    cpus: float
    free: float
    nodes: int


class Cluster:
    """A connection to Ray, and the actors made through it. Closing it ends them all.

    Control actors live on the node of this process: they share its fate, and its disk.
    """

    def __init__(self, address: str | None, cpus: float, namespace: str) -> None:
        """Join the cluster at `address`, else at RAY_ADDRESS (in a Ray job, the job's own), else start one here.

        `note` is what the log should say of that. A cluster of its own has at least `cpus` logical CPUs, listens on
        loopback only, and ends with this process. Raises PlanError when there is no cluster at the address.
        """
        self._made: dict[str, Any] = {}
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        said = os.environ.get(ADDRESS_VARIABLE, "")
        # As Ray has it: "auto" is what the environment says.
        by_environment = bool(said) and address in {None, "", "auto"}
        joined = said if by_environment else address or ""
        self.own = joined in {"", "local"}
        self.folder = RayFolder() if self.own else None
        self.note = ""
        if self.folder is not None and self.folder.path is not None:
            self.note = f"Ray works in {self.folder.path} until the desk ends: {self.folder.why}"
        elif by_environment and not self.own:
            self.note = f"on the cluster at {joined}, as {ADDRESS_VARIABLE} says"
        try:
            if self.own:
                self._start(cpus, namespace)
            else:
                self._join(joined, namespace)
        except (OSError, RayError, ValueError) as error:
            if self.folder is not None:
                self.folder.close()
            found = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise _no_cluster(joined, found, by_environment=by_environment) from error
        self.node: str = ray.get_runtime_context().get_node_id()

    def create(
        self,
        plain: type,
        name: str,
        *args: Any,
        cpus: float | None = None,
        threads: int = 1,
        groups: Mapping[str, int] = {},
    ) -> Any:
        """Make an actor of a plain class; its last argument, its meters, is given here.

        Without `cpus` it is a control actor: on this node, asking for none. A name is free again a moment after its
        actor was ended, which is waited for.
        """
        here = NodeAffinitySchedulingStrategy(self.node, soft=False)
        where: dict[str, Any] = {"scheduling_strategy": here, "num_cpus": 0} if cpus is None else {"num_cpus": cpus}
        remote = ray.remote(concurrency_groups=dict(groups))(plain) if groups else ray.remote(plain)
        actor = remote.options(
            name=name,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=threads,
            enable_task_events=False,
            **where,
        )
        end_s = time.monotonic() + NAME_TIMEOUT_S
        while True:
            try:
                handle = self._made[name] = actor.remote(*args, RayMeters)
            except ValueError:  # the name is taken still
                if time.monotonic() > end_s:
                    raise
                time.sleep(NAME_RETRY_S)
            else:
                return handle

    def end(self, name: str) -> None:
        """End what is left of the actor of this name."""
        if (handle := self._made.pop(name, None)) is not None:
            ray.kill(handle, no_restart=True)

    def placed(self, name: str) -> bool:
        """Whether the actor of this name has got a process, which may still be starting."""
        actor_id = self._made[name]._actor_id.hex()  # noqa: SLF001 - Ray has no public name for it
        return bool(state.actor_table(actor_id).get("Address", {}).get("IPAddress"))

    @property
    def room(self) -> Room:
        """What the cluster has at this moment, as far as it is known."""
        free = ray.available_resources().get("CPU", 0.0)
        return Room(ray.cluster_resources().get("CPU", 0.0), free, sum(node["Alive"] for node in ray.nodes()))

    def close(self) -> None:
        """End every actor made here, the youngest first, and leave the cluster."""
        for handle in reversed(self._made.values()):
            ray.kill(handle, no_restart=True)
        self._made.clear()
        ray.shutdown()
        if self.folder is not None:
            self.folder.close()

    def _join(self, address: str, namespace: str) -> None:
        _require_listener(address)
        ray.init(
            address=address,
            namespace=namespace,
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONHASHSEED": ENVIRONMENT["PYTHONHASHSEED"]}},
            logging_level="warning",
        )

    def spares(self, log: Logger) -> Spares | None:
        """Processes in waiting on a cluster of the desk's own; of another's nodes it is not known what they may run."""
        if not self.own:
            return None
        (node,) = ray.nodes()
        return Spares(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}", log)

    def _start(self, cpus: float, namespace: str) -> None:
        # Loopback only and for this process's lifetime, so without tokens, unless the user says otherwise.
        for name, value in {"RAY_AUTH_MODE": "disabled", **PRELOAD}.items():
            os.environ.setdefault(name, value)
        ray.init(
            address="local",
            namespace=namespace,
            num_cpus=max(int(-(-cpus // 1)), os.cpu_count() or 1),
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="warning",
            _node_ip_address="127.0.0.1",
            _temp_dir=None if self.folder is None else self.folder.path,
        )


def _no_cluster(joined: str, found: str, *, by_environment: bool) -> PlanError:
    """The error for a Ray that does not start or a cluster that cannot be joined; names the source of the address."""
    if joined in {"", "local"}:
        return PlanError(
            "Ray",
            f"it does not start: {found}",
            "a Ray of the desk's own on this machine",
            "Look into its logs, below /tmp/ray or the folder that RAY_TMPDIR or TMPDIR names.",
        )
    return PlanError(
        f"environment, {ADDRESS_VARIABLE}" if by_environment else "--address",
        f"no cluster to work on: {found}",
        "the address of a running Ray cluster as host:port, or none for a cluster of the desk's own",
        f"Unset {ADDRESS_VARIABLE}, or name a cluster with --address, which goes before it."
        if by_environment
        else "Start one with `ray start --head`, or leave --address out.",
    )


def _require_listener(address: str) -> None:
    """Where nobody listens, Ray tries for more than a minute and a socket knows at once. Raises OSError, ValueError."""
    if address in NAMES:
        return
    if address.startswith(("http://", "https://")):
        raise ValueError(
            f"`{address}` is no address of the form host:port but that of a dashboard, for `desk submit` and `ray job`"
        )
    if address.startswith("ray://"):
        raise ValueError(
            f"`{address}` is for Ray's client, and a desk works on a node of the cluster: `desk submit` it"
        )
    found = HOST_AND_PORT.fullmatch(address)
    if found is None:
        raise ValueError(f"`{address}` is no address of the form host:port")
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), LISTENER_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"nothing listens at {address} ({error})") from error
