"""A KeyboardInterrupt caused by a signal, as distinct from one that a strategy's code raises."""


class SignalInterrupt(KeyboardInterrupt):
    """Raised by a signal handler of the desk; strategy and scanner guards do not catch it."""
