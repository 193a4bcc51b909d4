"""The desk's changes to Ray while `ray.init` runs (signals, processes, ports), and Ray's undocumented settings.

Tests: tests/actors/test_ray_internals.py
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import ray

from actors.ray_internals import names
from desk.process.signals import SIGNALS, StopSignals

LOOPBACK: Final = "127.0.0.1"
"""Ray binds to loopback if its node has exactly this address, else to all interfaces."""
NO_DASHBOARD: Final = b"127.0.0.1:9"
"""The port to which agents send events with the token; only root could listen on it."""
LOOK_EVERY_S: Final = 0.02
RAYLET: Final = "raylet"
"""The process type of a raylet."""

SYSTEM: Final = {
    "enable_metrics_collection": False,  # no Prometheus port
    "task_events_report_interval_ms": 0,  # else ray.shutdown waits 5 s to hand them to a GCS that has died
    "gcs_rpc_server_reconnect_timeout_s": 86_400,  # else Ray ends this process 60 s after its GCS
    "max_direct_call_object_size": 8 * 2**20,  # without a raylet, an object in shared memory ends this process
    "event_stats_print_interval_ms": 3_600_000,  # 4 KB of logs a minute instead of 58; -1 would be 100 MB a second
}
"""Settings of every process of the desk's own Ray."""

WORKERS: Final = {
    "RAY_worker_niceness": "0",  # at Ray's default of 15, workers would give way to any other process of the machine
    "RAY_worker_num_grpc_internal_threads": "1",
    "RAY_preload_python_modules": "actors.consumer,actors.producer",  # a spare process has imported them
}
"""Environment variables for the processes of the desk's own Ray."""

JOINED: Final = {"RAY_gcs_rpc_server_reconnect_timeout_s": "86400", "RAY_task_events_report_interval_ms": "0"}
"""Environment variables of a driver on a joined cluster, for the same reasons as in SYSTEM."""

Started = Callable[[str, int], None]
"""Receives the type (`raylet`, `gcs_server`) and id of each process started."""


def reread_authentication() -> None:
    """Let Ray reread the environment and the token; it reads the variables only at import, and the token only once."""
    names.CONFIG.get().initialize("")
    names.TOKENS.get().instance().reset_cache()


def init_own_ray(folder: str, session: str, started: Started, **options: Any) -> None:
    """Start Ray below this folder, on loopback alone. Calls `started` for each process that it starts.

    `session` names a folder below it. `options` are those of `ray.init`. Raises the errors of `ray.init`, and PlanError
    if this Ray lacks a private name used here.
    """
    names.require(names.OWN_RAY)
    names.AUTO_CONNECT.set(value=False)  # else a call after the end would start another Ray
    names.WORKER_LOGS.set(value=False)  # else Ray prints raylet logs on stdout
    plain_start, plain_wait = names.START_PROCESS.get(), names.WAIT_FOR_PORT.get()

    def start(command: Any, process_type: str, *args: Any, **how: Any) -> Any:
        info = plain_start(command, process_type, *args, **how)
        started(process_type, info.process.pid)
        return info

    def wait_for_port(session_dir: str, node_id: Any, name: str, timeout_ms: int) -> Any:
        """Replace Ray's function, which holds the interpreter's lock for up to 30 s, so that no other thread runs."""
        file = Path(session_dir, names.PORT_FILE.get()(node_id, name))
        end_s = time.monotonic() + timeout_ms / 1000
        while not file.exists() and time.monotonic() < end_s:
            time.sleep(LOOK_EVERY_S)
        return plain_wait(session_dir, node_id, name, timeout_ms=1000)

    with ExitStack() as stack:
        stack.enter_context(names.START_PROCESS.replaced(start))
        stack.enter_context(names.WAIT_FOR_PORT.replaced(wait_for_port))
        stack.enter_context(names.NODE.replaced(_own_node(session)))
        ray.init(address="local", **options, _temp_dir=folder, _system_config=dict(SYSTEM))  # Ray writes into it


def _own_node(session: str) -> type:
    """The class of Ray's node without autoscaler, log monitor, dashboard and metrics."""
    plain: Any = names.NODE.get()

    class OwnNode(plain):  # type: ignore[misc]  # Ray has no types
        def __init__(self, ray_params: Any, **how: Any) -> None:
            ray_params.update(
                node_ip_address=LOOPBACK,  # ray.init replaces a loopback address by the host's
                dashboard_agent_listen_port=0,
                session_name=session,
                no_monitor=True,
                include_log_monitor=False,
            )
            super().__init__(ray_params, **how)

        def start_api_server(self, **_: Any) -> None:
            """Start no API server, but publish an address: without one, the agent logs a traceback every second."""
            self._webui_url = ""
            address, namespace = names.DASHBOARD_ADDRESS.get(), names.DASHBOARD_NAMESPACE.get()
            self.get_gcs_client().internal_kv_put(address.encode(), NO_DASHBOARD, True, namespace)

        def start_raylet(self, *args: Any, **how: Any) -> None:
            """Start the raylet with a minimal dashboard agent, which listens on no port."""
            with names.DASHBOARD_DEPENDENCIES.replaced(lambda: ImportError("left out")):
                super().start_raylet(*args, **how)

    return OwnNode


@contextmanager
def own_signals(signals: StopSignals) -> Iterator[None]:
    """Within the block, `ray.init` installs no signal handlers, and its processes get sessions of their own.

    Ray 2.60 has no option for any of this. Its handlers end this process on SIGTERM, with status 15 or 1; the handler
    of its compiled core worker aborts it. Its processes are in the terminal's process group: SIGQUIT or a hang-up would
    end them before the lanes are drained.
    """
    popen, core_worker = names.PROCESS_CLASS.find(), names.CORE_WORKER.find()

    def start_in_session(*args: Any, **how: Any) -> Any:
        return popen(*args, **how, start_new_session=True)

    def make_core_worker(*args: Any, **how: Any) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            return core_worker(*args, **how)
        finally:
            _catch_again(signals)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    with ExitStack() as stack:
        stack.callback(_catch_again, signals)
        stack.enter_context(names.SIGTERM_HANDLER.replaced(_install_none))
        stack.enter_context(names.PROCESS_CLASS.replaced(start_in_session))
        stack.enter_context(names.CORE_WORKER.replaced(make_core_worker))
        yield


def _catch_again(signals: StopSignals) -> None:
    if threading.current_thread() is threading.main_thread():
        signals.catch_again()


def _install_none(_handler: object) -> None:
    """Stand in for `set_sigterm_handler`."""
