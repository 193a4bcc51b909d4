"""Whose KeyboardInterrupt it is: the user's, by ctrl-c, or that of a strategy's or scanner's own code.

Tests: tests/desk/consumer/engine/test_guard.py
"""

import signal

from desk.model.interrupts import SignalInterrupt


def is_from_signal(fault: BaseException) -> bool:
    """Whether SIGINT caused this exception, as far as it can be told.

    Only Python's own handler raises KeyboardInterrupt. A desk that runs has another handler, and its actors ignore
    SIGINT: there, the code raised it. Where Python's handler is in place, ctrl-c has to work.
    """
    if not isinstance(fault, KeyboardInterrupt):
        return False
    return isinstance(fault, SignalInterrupt) or signal.getsignal(signal.SIGINT) is signal.default_int_handler
