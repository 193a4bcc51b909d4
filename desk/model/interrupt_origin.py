"""The origin of a KeyboardInterrupt: the user's ctrl-c, or the code of a strategy or scanner.

Tests: tests/desk/consumer/engine/test_guard.py
"""

import signal

from desk.model.interrupts import SignalInterrupt


def is_from_signal(fault: BaseException) -> bool:
    """Whether SIGINT may have caused this exception.

    Only Python's default handler raises KeyboardInterrupt. A running desk installs another handler, and its actors
    ignore SIGINT: there, the strategy's code raised it. With the default handler installed, the answer is yes, so that
    ctrl-c works.
    """
    if not isinstance(fault, KeyboardInterrupt):
        return False
    return isinstance(fault, SignalInterrupt) or signal.getsignal(signal.SIGINT) is signal.default_int_handler
