"""Ray and signals: this process's handlers stay the desk's, and a terminal's signals do not reach Ray's processes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray
from ray._private import services, utils

from desk.signals import SIGNALS, StopSignals

compiled: Any = ray._raylet  # noqa: SLF001 - Ray has no public name for it


@contextmanager
def own_signals(signals: StopSignals) -> Iterator[None]:
    """Within, `ray.init` takes no signal from the desk, and each process that it starts has a session of its own.

    Ray 2.60 has no option for any of this. Its handlers end this process on SIGTERM, with status 15 or 1; the one of
    its core worker, which is compiled, aborts it. Its processes are in the terminal's process group: SIGQUIT or a
    hang-up would end them before the lanes are drained.
    """
    handler, popen, core_worker = utils.set_sigterm_handler, services.ConsolePopen, compiled.CoreWorker

    def make_core_worker(*args: Any, **how: Any) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            return core_worker(*args, **how)
        finally:
            _catch_again(signals)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    utils.set_sigterm_handler = _install_none
    services.ConsolePopen = partial(popen, start_new_session=True)
    compiled.CoreWorker = make_core_worker
    try:
        yield
    finally:
        utils.set_sigterm_handler, services.ConsolePopen, compiled.CoreWorker = handler, popen, core_worker
        _catch_again(signals)


def _catch_again(signals: StopSignals) -> None:
    if threading.current_thread() is threading.main_thread():
        signals.catch_again()


def _install_none(_handler: object) -> None:
    """Stand in for `set_sigterm_handler`."""
