"""KeyboardInterrupts that a signal caused, told from those that a strategy's own code raises."""


class SignalInterrupt(KeyboardInterrupt):
    """Raised by a signal handler of the desk: it passes through strategies and scanners."""
