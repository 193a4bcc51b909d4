"""Starting or joining Ray, creating actors, ending them."""

import os
import time
from collections.abc import Mapping
from logging import Logger
from typing import Any, Final, NamedTuple

import ray
from ray._private.state import state
from ray._private.worker import global_worker
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.building import reporting_faults
from actors.joining import ADDRESS_VARIABLE, has_authentication, no_cluster, require_listener
from actors.loss import LastWords, Loss
from actors.meters import RayMeters
from actors.own_ray.start import OwnRay
from actors.spares import PRELOAD, Spares
from desk.model.errors import ClusterLost

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


def _say_nothing(_: ClusterLost) -> None:
    """The last words of a process that has none."""


class Room(NamedTuple):
    """What a cluster has of CPUs, in all and free, on how many nodes."""

    cpus: float
    free: float
    nodes: int


class Cluster:
    """A connection to Ray, and the actors made through it. Closing it ends them all.

    Control actors live on the node of this process: they share its fate, and its disk.
    """

    def __init__(self, address: str | None, cpus: float, namespace: str, last_words: LastWords = _say_nothing) -> None:
        """Join the cluster at `address`, else at RAY_ADDRESS (in a Ray job, the job's own), else start one here.

        `note` is what the log should say of that, `warnings` are what the user should change. A cluster of its own has
        at least `cpus` logical CPUs, listens on loopback only, wants a token of every caller, and ends with this
        process. When Ray dies and this process cannot leave it, it ends after `last_words`. Raises PlanError when
        there is no cluster at the address, and ClusterLost.
        """
        self._made: dict[str, Any] = {}
        said = os.environ.get(ADDRESS_VARIABLE, "")
        # As Ray has it: "auto" is what the environment says.
        by_environment = bool(said) and address in {None, "", "auto"}
        joined = said if by_environment else address or ""
        self.note = f"on the cluster at {joined}, as {ADDRESS_VARIABLE} says" if by_environment else ""
        self.warnings: list[str] = []
        self._ray: OwnRay | None = None
        self.loss = Loss(self._clean, last_words)
        try:
            if joined in {"", "local"}:
                self._start(cpus, namespace)
            else:
                self._join(joined, namespace)
        except (OSError, RayError, ValueError) as error:
            self.close()
            found = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise no_cluster(joined, found, by_environment=by_environment) from error
        self.node: str = ray.get_runtime_context().get_node_id()

    @property
    def own(self) -> bool:
        """Whether it is a cluster of the desk's own."""
        return self._ray is not None

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
        actor was ended, which is waited for. Raises ClusterLost.
        """
        self.loss.require_alive()
        here = NodeAffinitySchedulingStrategy(self.node, soft=False)
        where: dict[str, Any] = {"scheduling_strategy": here, "num_cpus": 0} if cpus is None else {"num_cpus": cpus}
        made = reporting_faults(plain)
        remote = ray.remote(concurrency_groups=dict(groups))(made) if groups else ray.remote(made)
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
        if self._ray is not None:
            self._ray.close()
        else:
            ray.shutdown()
        self.loss.leave()

    def spares(self, log: Logger) -> Spares | None:
        """Processes in waiting on a cluster of the desk's own; of another's nodes it is not known what they may run."""
        if not self.own:
            return None
        (node,) = ray.nodes()
        return Spares(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}", log)

    def _join(self, address: str, namespace: str) -> None:
        require_listener(address)
        ray.init(
            address=address,
            namespace=namespace,
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONHASHSEED": ENVIRONMENT["PYTHONHASHSEED"]}},
            logging_level="warning",
        )
        gcs = global_worker.node.gcs_address
        if not has_authentication(gcs):
            self.warnings.append(
                f"the cluster at {gcs} asks for no token: whoever can reach its ports can run programs on it as its "
                "user; start it with RAY_AUTH_MODE=token"
            )

    def _start(self, cpus: float, namespace: str) -> None:
        self._ray = OwnRay(self.loss.died)
        self.note = self._ray.folder.note
        variables = {name: os.environ.get(name, value) for name, value in {**ENVIRONMENT, **PRELOAD}.items()}
        self._ray.start(max(int(-(-cpus // 1)), os.cpu_count() or 1), namespace, variables)

    def _clean(self) -> None:
        if self._ray is not None:
            self._ray.kill()
