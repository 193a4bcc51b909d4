"""Wall time as the operating system tells it: the one implementation of the Clock port outside tests."""

import time


class SystemClock:
    """Real time."""

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        """Sleep for about this long."""
        if seconds > 0:
            time.sleep(seconds)
