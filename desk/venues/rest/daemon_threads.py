"""Blocking calls in threads that do not keep the process from ending.

Tests: tests/desk/venues/test_daemon_threads.py
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")


def run_in_thread(work: Callable[[], R], name: str) -> Future[R]:
    """Start work in a daemon thread; its result, or its error, is in the future."""
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is read
            future.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return future


def parallel(call: Callable[[A], R], arguments: Sequence[A], at_once: int) -> list[R]:
    """The results in the order of the arguments. After a first error no further call starts; it is raised."""
    left = iter(enumerate(arguments))
    results: dict[int, R] = {}
    errors: list[Exception] = []

    def work() -> None:
        for place, argument in _shared(left):
            if errors:
                return
            try:
                results[place] = call(argument)
            except Exception as error:  # noqa: BLE001 - raised below
                errors.append(error)

    workers: list[Future[None]] = [run_in_thread(work, "requests") for _ in range(min(at_once, len(arguments)))]
    for worker in workers:
        worker.result()
    if errors:
        raise errors[0]
    return [results[place] for place in range(len(arguments))]


def _shared(source: Iterator[tuple[int, A]]) -> Iterator[tuple[int, A]]:
    """What several threads take from one iterator over a sequence, whose `next` is atomic."""
    while True:
        try:
            yield next(source)
        except StopIteration:
            return
