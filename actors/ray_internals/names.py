"""The private names of Ray that the desk uses: the module, the parameters used, and the desk's behaviour without it.

Tests: tests/actors/test_ray_internals.py
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import ray

from desk.model.errors import PlanError

RELEASE: Final = "2.60"
"""The Ray release of these names; pyproject.toml pins it."""


@dataclass(frozen=True)
class PrivateName:
    """A private name in a module of Ray.

    `parameters` are those that the desk passes by keyword or replaces; for a protobuf message its fields, for a gRPC
    stub its methods, for a class its attributes. `without` describes the desk's behaviour on a Ray without the name; if
    it is empty, the desk does not start then.
    """

    module: str
    name: str
    parameters: tuple[str, ...] = ()
    without: str = ""

    def find(self) -> Any:
        """Return the object; None if this Ray has no such name."""
        try:
            found: Any = import_module(self.module)
            for part in self.name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            return None
        return found

    def get(self) -> Any:
        """Return the object. Raises PlanError if this Ray has no such name."""
        found = self.find()
        if found is None:
            raise missing(self)
        return found

    @contextmanager
    def replaced(self, value: Any) -> Iterator[None]:
        """Replace the name's value within the context. Does nothing if this Ray has no such name."""
        before = self.find()
        if before is None:
            yield
            return
        owner = import_module(self.module)
        setattr(owner, self.name, value)
        try:
            yield
        finally:
            setattr(owner, self.name, before)

    def set(self, value: Any) -> None:
        """Replace the name's value permanently. Does nothing if this Ray has no such name."""
        if self.find() is not None:
            setattr(import_module(self.module), self.name, value)


def missing(name: PrivateName) -> PlanError:
    """The error for a Ray without this name."""
    return PlanError(
        "environment",
        f"Ray {ray.__version__} has no `{name.module}.{name.name}`",
        f"Ray {RELEASE}, whose internals the desk uses",
        "Install the release that constraints.txt pins: `pip install -c constraints.txt 'ray[default]'`.",
    )


# The desk's own Ray: loopback, token, no dashboard (docs/decisions/0019).
NODE: Final = PrivateName(
    "ray._private.node",
    "Node",
    ("start_api_server", "start_raylet", "get_gcs_client", "start_head_processes", "start_ray_processes"),
)
NODE_PARAMETERS: Final = PrivateName(
    "ray._private.parameter",
    "RayParams",
    ("node_ip_address", "dashboard_agent_listen_port", "session_name", "no_monitor", "include_log_monitor"),
)
START_PROCESS: Final = PrivateName("ray._private.services", "start_ray_process", ("command", "process_type"))
WAIT_FOR_PORT: Final = PrivateName("ray._private.node", "wait_for_persisted_port")
PORT_FILE: Final = PrivateName("ray._raylet", "get_port_filename")
DASHBOARD_DEPENDENCIES: Final = PrivateName("ray._private.utils", "get_dashboard_dependency_error")
DASHBOARD_ADDRESS: Final = PrivateName("ray._private.ray_constants", "DASHBOARD_ADDRESS")
DASHBOARD_NAMESPACE: Final = PrivateName("ray._private.ray_constants", "KV_NAMESPACE_DASHBOARD")
INIT: Final = PrivateName("ray", "init", ("_temp_dir", "_system_config"))
CONFIG: Final = PrivateName("ray._raylet", "Config", ("initialize",))
TOKENS: Final = PrivateName("ray._raylet", "AuthenticationTokenLoader", ("instance", "reset_cache"))
OWN_RAY: Final = (
    NODE,
    NODE_PARAMETERS,
    START_PROCESS,
    WAIT_FOR_PORT,
    PORT_FILE,
    DASHBOARD_DEPENDENCIES,
    DASHBOARD_ADDRESS,
    DASHBOARD_NAMESPACE,
)

# gRPC (calls.py). Ray's public functions wait without limit for a GCS that has died: they cannot replace these calls.
CHANNEL: Final = PrivateName("ray._private.grpc_utils", "init_grpc_channel", ("address",))
CERTIFICATES: Final = PrivateName("ray._common.tls_utils", "load_certs_from_env")
NODE_INFO: Final = PrivateName(
    "ray.core.generated.gcs_service_pb2_grpc", "NodeInfoGcsServiceStub", ("CheckAlive", "GetAllNodeInfo")
)
RESOURCES: Final = PrivateName(
    "ray.core.generated.gcs_service_pb2_grpc",
    "NodeResourceInfoGcsServiceStub",
    ("GetAllTotalResources", "GetAllAvailableResources", "GetDrainingNodes"),
)
ACTOR_INFO: Final = PrivateName(
    "ray.core.generated.gcs_service_pb2_grpc",
    "ActorInfoGcsServiceStub",
    ("GetActorInfo",),
    "an actor that hangs while it starts is not restarted",
)
ACTOR_ID: Final = PrivateName("ray.actor", "ActorHandle._actor_id", without=ACTOR_INFO.without)
ALWAYS: Final = (CONFIG, TOKENS, CHANNEL, CERTIFICATES, NODE_INFO, RESOURCES)
SPARE_PROCESSES: Final = PrivateName(
    "ray.core.generated.node_manager_pb2_grpc",
    "NodeManagerServiceStub",
    ("PrestartWorkers",),
    "a restarted actor waits until a new process has started",
)

# Signals and output of the driver.
SIGTERM_HANDLER: Final = PrivateName(
    "ray._private.utils",
    "set_sigterm_handler",
    ("sigterm_handler",),
    "a SIGTERM while Ray starts ends the desk without a summary",
)
PROCESS_CLASS: Final = PrivateName(
    "ray._private.services",
    "ConsolePopen",
    without="SIGQUIT and a hang-up of the terminal end Ray before the lanes are drained",
)
CORE_WORKER: Final = PrivateName("ray._raylet", "CoreWorker", without=SIGTERM_HANDLER.without)
AUTO_CONNECT: Final = PrivateName(
    "ray._private.auto_init_hook",
    "enable_auto_connect",
    without="a call after the end of Ray starts another one",
)
WORKER_LOGS: Final = PrivateName(
    "ray._private.worker", "_worker_logs_enabled", without="Ray prints lines of its logs on stdout"
)

REPLACEABLE: Final = (
    ACTOR_INFO,
    ACTOR_ID,
    SPARE_PROCESSES,
    SIGTERM_HANDLER,
    PROCESS_CLASS,
    CORE_WORKER,
    AUTO_CONNECT,
    WORKER_LOGS,
)

# The package of a job.
DEFAULT_EXCLUDES: Final = PrivateName(
    "ray._private.ray_constants",
    "get_runtime_env_default_excludes",
    without="files that Ray leaves out of a job are found by the names of Ray 2.60",
)
EXCLUDES: Final = PrivateName(
    "ray._private.runtime_env.packaging", "_get_excludes", ("path", "excludes"), DEFAULT_EXCLUDES.without
)

# Tests and benchmarks only: without them, these fail.
CREATE_PACKAGE: Final = PrivateName("ray._private.runtime_env.packaging", "create_package", ("excludes",))
PREPARE_CONFIG: Final = PrivateName("ray.autoscaler._private.util", "prepare_config", ("config",))
VALIDATE_CONFIG: Final = PrivateName("ray.autoscaler._private.util", "validate_config", ("config",))
RSYNC_FILTERS: Final = PrivateName(
    "ray.autoscaler._private.command_runner",
    "SSHCommandRunner._create_rsync_filter_args",
    ("options",),
)
FAKE_NODES: Final = PrivateName("ray.autoscaler._private.fake_multi_node.node_provider", "FakeMultiNodeProvider")
FAKE_HEAD_ID: Final = PrivateName("ray.autoscaler._private.fake_multi_node.node_provider", "FAKE_HEAD_NODE_ID")
FAKE_HEAD_TYPE: Final = PrivateName("ray.autoscaler._private.fake_multi_node.node_provider", "FAKE_HEAD_NODE_TYPE")

# The command lines of Ray's processes, by which the desk finds them.
AGENTS: Final = {
    "dashboard agent": (b"ray::DashboardAgent", b"dashboard/agent.py"),
    "runtime env agent": (b"ray::RuntimeEnvAgent", b"runtime_env/agent/main.py"),
}
"""The agents that a raylet needs, by parts of their command lines."""
RAYLET_SOCKET_FLAG: Final = "--raylet_socket_name"
GCS_SESSION_FLAG: Final = "--session-name"

JOB_LOGGERS: Final = ("ray._private.runtime_env.packaging", "ray._private.runtime_env.working_dir")
"""Loggers that report packing. A logger that does not exist reports nothing."""

EXCLUDED_NAMES: Final = frozenset({".git", ".venv", "venv", "__pycache__"})


def job_excludes(folder: Path) -> Callable[[Path], bool]:
    """Return a function: whether Ray leaves a file below this folder out of every job's package, by its name."""
    default, matcher = DEFAULT_EXCLUDES.find(), EXCLUDES.find()
    if default is None or matcher is None:
        return lambda path: not EXCLUDED_NAMES.isdisjoint(path.relative_to(folder).parts)
    excludes: Callable[[Path], bool] = matcher(folder, default())
    return excludes


def require(names: tuple[PrivateName, ...]) -> None:
    """Raise PlanError for the first of these names that this Ray does not have."""
    for name in names:
        name.get()


def degraded() -> list[str]:
    """Describe each missing name that the desk can do without, and its behaviour then."""
    absent = [name for name in REPLACEABLE if name.find() is None]
    return [f"Ray {ray.__version__} has no `{name.module}.{name.name}`: {name.without}" for name in absent]
