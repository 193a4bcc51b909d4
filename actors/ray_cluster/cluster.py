"""Starting or joining Ray, creating and stopping actors.

Tests: tests/actors/test_cluster_address.py
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from logging import Logger
from pathlib import Path
from typing import Any, Final, TypeVar

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.job_config import JobConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.calls.constructor_errors import reporting_faults
from actors.metrics.ray_export import RayExport
from actors.own_ray.authentication import EnvironmentVariables
from actors.own_ray.start import OwnRay
from actors.ray_cluster.cluster_address import (
    ADDRESS_VARIABLE,
    NAMES,
    has_authentication,
    no_cluster,
    require_access,
    require_listener,
)
from actors.ray_cluster.gcs import ClusterCapacity, GcsClient
from actors.ray_cluster.joined_watch import JoinedRayWatch
from actors.ray_cluster.ray_death import LastWords, RayDeath
from actors.ray_cluster.spare_processes import SparePool
from actors.ray_internals import names
from actors.ray_internals.starting import JOINED, WORKERS
from desk.model.errors import ClusterLost, DeskError
from desk.process import breadcrumbs

NAME_TIMEOUT_S: Final = 10.0
NAME_RETRY_S: Final = 0.02
LOOK_EVERY_S: Final = 0.1
LOGS: Final = "ray-logs"
APART: Final = "apart"
A = TypeVar("A")
R = TypeVar("R")

# For every process of the desk: string hashes must not differ between incarnations of a shard.
ENVIRONMENT: Final = {"PYTHONHASHSEED": "0", "RAY_USAGE_STATS_ENABLED": "0"}


def _say_nothing(_: ClusterLost) -> None:
    """Do nothing: the default of `last_words`."""


class Cluster:
    """A connection to Ray, and the actors created through it. `close` stops them all.

    Control actors run on the node of this process, since they use its disk.
    """

    def __init__(
        self,
        address: str | None,
        cpus: float,
        namespace: str,
        run_dir: Path | None = None,
        last_words: LastWords = _say_nothing,
        consumers: int = 0,
        plan: str = "",
    ) -> None:
        """Join the cluster at `address`, else at RAY_ADDRESS (in a Ray job, the job's own), else start one here.

        `notes` are for the log, `warnings` for the user. A cluster of the desk's own has at least `cpus` logical CPUs
        and room for `consumers`, listens on loopback only, requires a token of every caller, and ends with this
        process; if it dies, its logs are copied to `run_dir`. In a cluster that is joined, the metadata of this job
        name `plan` and `run_dir`. If Ray dies and blocks the main thread, the process ends after calling `last_words`.
        Raises PlanError if no cluster answers at the address, the machine is too small for one, or Ray lacks internals
        that the desk uses; CredentialsError if the cluster rejects this process; and ClusterLost.
        """
        self._made: dict[str, ActorHandle[Any]] = {}
        said = os.environ.get(ADDRESS_VARIABLE, "")
        # As in Ray, "auto" means the address from the environment.
        by_environment = bool(said) and address in {None, "", "auto"}
        joined = said if by_environment else address or ""
        self.notes = [f"on the cluster at {joined}, as {ADDRESS_VARIABLE} says"] if by_environment else []
        names.require(names.ALWAYS)
        self.warnings = names.degraded()
        self._ray: OwnRay | None = None
        self._watch: JoinedRayWatch | None = None
        self._environment: EnvironmentVariables | None = None
        self._asked: GcsClient | None = None
        self.loss = RayDeath(self._clean, last_words, run_dir)
        try:
            if joined in {"", "local"}:
                self._start(cpus, namespace, consumers)
            else:
                self._join(joined, namespace, {"plan": plan, "run_folder": str(run_dir or "")})
        except Exception as error:
            lost = self.loss.cause_of_failure() if self.own else None
            self.close()
            if lost is not None:
                last_words(lost)
                raise lost from error
            if isinstance(error, DeskError):
                raise
            found = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise no_cluster(joined, found, by_environment=by_environment) from error
        self.node: str = ray.get_runtime_context().get_node_id()
        self._gcs = self._asked = GcsClient(ray.get_runtime_context().gcs_address, self.loss.require_alive)

    @property
    def own(self) -> bool:
        """Whether the desk started this cluster."""
        return self._ray is not None

    def create(
        self,
        plain: type[A],
        name: str,
        *args: Any,
        cpus: float | None = None,
        threads: int = 1,
        apart: Sequence[Callable[[A], object]] = (),
    ) -> ActorHandle[A]:
        """Create an actor of a plain class; its last argument, the export of metrics, is added here.

        Without `cpus` it is a control actor: on this node, without a CPU reservation. The methods in `apart` run in a
        thread of their own (Ray's concurrency groups), so their calls do not wait behind others. Waits until the name
        of a stopped actor is free again. Raises ClusterLost.
        """
        self.loss.require_alive()
        here = NodeAffinitySchedulingStrategy(self.node, soft=False)
        where: dict[str, Any] = {"scheduling_strategy": here, "num_cpus": 0} if cpus is None else {"num_cpus": cpus}
        made = reporting_faults(plain)
        for method in apart:
            ray.method(concurrency_group=APART)(getattr(made, method.__name__))
        groups: dict[str, Any] = {"concurrency_groups": {APART: 1}} if apart else {}
        remote: Any = ray.remote(**groups)(made) if groups else ray.remote(made)
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
                handle: ActorHandle[A] = actor.remote(*args, RayExport)
            except ValueError:  # the name is still in use
                if time.monotonic() > end_s:
                    raise
                time.sleep(NAME_RETRY_S)
            else:
                self._made[name] = handle
                return handle

    def end(self, name: str) -> None:
        """Stop the actor of this name, if it exists."""
        if (handle := self._made.pop(name, None)) is not None:
            ray.kill(handle, no_restart=True)

    def get(self, call: ObjectRef[R]) -> R:
        """Wait for the result of a call. Raises the call's error, and ClusterLost if Ray dies."""
        while not ray.wait([call], timeout=LOOK_EVERY_S)[0]:
            self.loss.require_alive()
        return ray.get(call)

    def placed(self, name: str) -> bool:
        """Whether the actor of this name has a process, which may still be starting."""
        return self._gcs.has_process(self._made[name])

    @property
    def capacity(self) -> ClusterCapacity:
        """The cluster's capacity as last reported. Raises ClusterLost."""
        return self._gcs.capacity()

    def ray_pids(self) -> dict[str, int]:
        """Ray's own processes on this node, by name."""
        watch = self._ray or self._watch
        return {} if watch is None else {f"ray:{name}": pid for name, pid in watch.pids().items()}

    def draining(self) -> dict[str, int]:
        """The nodes that are being drained, with their deadlines in ms since the epoch. Raises ClusterLost."""
        return {} if self.own else self._gcs.draining()

    def other_nodes(self) -> list[str]:
        """The ids of the other nodes that are alive; none after Ray has died."""
        if self.own or self.loss.is_lost:
            return []
        return [node.id for node in self._gcs.nodes() if node.id != self.node]

    def close(self) -> None:
        """Stop every actor, the youngest first, and disconnect.

        The channel to the GCS is closed first: gRPC prints an error if its server ends before the client.
        """
        self.loss.wait_until_clean()
        for handle in reversed(self._made.values()):
            ray.kill(handle, no_restart=True)
        self._made.clear()
        if self._asked is not None:
            self._asked.close()
        if self._watch is not None:
            self._watch.close()
        if self._ray is not None:
            self._ray.close()
        else:
            ray.shutdown()
        if self._environment is not None:
            self._environment.restore()
        self.loss.leave()

    def spares(self, log: Logger) -> SparePool | None:
        """Spare processes, only on a cluster of the desk's own: other clusters may not allow them."""
        if not self.own:
            return None
        (node,) = self._gcs.nodes()
        return SparePool(node.raylet, log)

    def _join(self, address: str, namespace: str, metadata: dict[str, str]) -> None:
        require_listener(address)
        if address not in NAMES:
            require_access(address)
        self._environment = EnvironmentVariables(JOINED)
        ray.init(
            address=address,
            namespace=namespace,
            job_config=JobConfig(metadata=metadata),
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONHASHSEED": ENVIRONMENT["PYTHONHASHSEED"]}},
            logging_level=logging.WARNING,
        )
        self._watch = JoinedRayWatch(self.loss.died)
        gcs = ray.get_runtime_context().gcs_address
        if not has_authentication(gcs):
            self.warnings.append(
                f"the cluster at {gcs} requires no token: anyone with access to its ports can run programs as its "
                "user; start it with RAY_AUTH_MODE=token"
            )

    def _start(self, cpus: float, namespace: str, consumers: int) -> None:
        self._ray = OwnRay(self.loss.died, consumers, breadcrumbs.trail_folders(namespace))
        self.notes = self._ray.notes
        variables = {name: os.environ.get(name, value) for name, value in {**ENVIRONMENT, **WORKERS}.items()}
        self._ray.start(max(int(-(-cpus // 1)), os.cpu_count() or 1), namespace, variables)

    def _clean(self, run_dir: Path | None) -> None:
        if self._ray is not None:
            self._ray.kill()
            if run_dir is not None:
                self._ray.keep_logs(run_dir / LOGS)
            self._ray.remove()
