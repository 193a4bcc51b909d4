"""Ray's node on loopback, with the processes and ports that a desk needs and no others.

`ray.init` has no arguments for this, so `own_node` replaces some names of Ray 2.60 while it runs.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from ray._private import node, ray_constants, services, utils
from ray._raylet import get_port_filename  # type: ignore[attr-defined]  # it is compiled

from actors.own_ray.folder import SESSION

LOOPBACK: Final = "127.0.0.1"
"""Ray binds to loopback when its node has just this address, else to all interfaces."""
NO_DASHBOARD: Final = b"127.0.0.1:9"
"""A port on which only root could listen: agents send events there, with the token."""
LOOK_EVERY_S: Final = 0.02
_PLAIN_WAIT: Final = node.wait_for_persisted_port
_PLAIN_START: Final = services.start_ray_process

Started = Callable[[str, int], None]
"""Takes the type (`raylet`, `gcs_server`) and id of a process that was started."""


class OwnNode(node.Node):  # type: ignore[misc]  # Ray ships without types
    """The node of `ray.init(address="local")`, without autoscaler, log monitor, dashboard and metrics."""

    def __init__(self, ray_params: Any, **how: Any) -> None:
        ray_params.update(
            node_ip_address=LOOPBACK,  # ray.init replaces a loopback address by the host's
            dashboard_agent_listen_port=0,
            session_name=SESSION,
            no_monitor=True,
            include_log_monitor=False,
        )
        super().__init__(ray_params, **how)

    def start_api_server(self, **_: Any) -> None:
        """Start none. The agent asks for its address, with a traceback a second in its log, until it has one."""
        self._webui_url = ""
        self.get_gcs_client().internal_kv_put(
            ray_constants.DASHBOARD_ADDRESS.encode(), NO_DASHBOARD, True, ray_constants.KV_NAMESPACE_DASHBOARD
        )

    def start_raylet(self, *args: Any, **how: Any) -> None:
        """Start the raylet, with a dashboard agent of the minimal kind: it listens on no port."""
        with _replaced(utils, "get_dashboard_dependency_error", lambda: ImportError("left out")):
            super().start_raylet(*args, **how)


@contextmanager
def own_node(started: Started) -> Iterator[None]:
    """While it is entered, `ray.init` starts an OwnNode and calls `started` for each process that it starts."""

    def start(command: Any, process_type: str, *args: Any, **how: Any) -> Any:
        info = _PLAIN_START(command, process_type, *args, **how)
        started(process_type, info.process.pid)
        return info

    with ExitStack() as stack:
        stack.enter_context(_replaced(services, "start_ray_process", start))
        stack.enter_context(_replaced(node, "Node", OwnNode))
        stack.enter_context(_replaced(node, "wait_for_persisted_port", _wait_for_port))
        yield


def _wait_for_port(session_dir: str, node_id: Any, name: str, timeout_ms: int) -> Any:
    """As Ray does, which keeps the interpreter's lock for up to 30 s, so that no other thread runs."""
    file = os.path.join(session_dir, get_port_filename(node_id, name))  # noqa: PTH118 - as Ray has it
    end_s = time.monotonic() + timeout_ms / 1000
    while not os.path.exists(file) and time.monotonic() < end_s:  # noqa: PTH110 - as Ray has it
        time.sleep(LOOK_EVERY_S)
    return _PLAIN_WAIT(session_dir, node_id, name, timeout_ms=1000)


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    was = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, was)
