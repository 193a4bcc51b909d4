"""Ray and signals: this process's handlers stay the desk's, and a terminal's signals do not reach Ray's processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ray._private import services, utils


@contextmanager
def unsignalled_ray() -> Iterator[None]:
    """Within, `ray.init` installs no signal handler, and each process that it starts has a session of its own.

    Ray 2.60 ends this process on SIGTERM with status 15 or 1, and leaves its processes in the terminal's process group:
    SIGQUIT or a hang-up would end them before the lanes are drained. Ray has no option for either.
    """
    handler, popen = utils.set_sigterm_handler, services.ConsolePopen
    utils.set_sigterm_handler = _install_none
    services.ConsolePopen = partial(popen, start_new_session=True)
    try:
        yield
    finally:
        utils.set_sigterm_handler, services.ConsolePopen = handler, popen


def _install_none(_handler: object) -> None:
    """Stand in for `set_sigterm_handler`."""
