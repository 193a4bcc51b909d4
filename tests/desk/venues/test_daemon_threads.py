import threading
from collections.abc import Callable

import pytest

from desk.venues.rest.daemon_threads import parallel, run_in_thread


def test_the_result_or_the_error_is_in_the_future_and_the_process_may_end_meanwhile() -> None:
    def fail() -> None:
        raise LookupError("gone")

    assert run_in_thread(lambda: threading.current_thread().name, "work").result(10.0) == "work"
    assert run_in_thread(lambda: threading.current_thread().daemon, "work").result(10.0)
    with pytest.raises(LookupError, match="gone"):
        run_in_thread(fail, "work").result(10.0)


def test_calls_at_once_keep_their_order_and_the_first_error_ends_them() -> None:
    started: list[int] = []
    together = threading.Barrier(3, timeout=10.0)

    def meet(number: int) -> int:
        together.wait()
        return number * number

    def fail(number: int) -> int:
        started.append(number)
        raise LookupError(str(number))

    call: Callable[[int], int] = meet

    assert parallel(call, range(9), 3) == [number * number for number in range(9)]
    assert parallel(call, [], 3) == []
    with pytest.raises(LookupError):
        parallel(fail, range(100), 3)
    assert len(started) <= 3
