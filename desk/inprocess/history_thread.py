"""The history port in one process: a thread asks the vendor, so that ticks do not wait.

Tests: tests/desk/inprocess/test_gap_repair_in_process.py
"""

from collections import deque
from queue import SimpleQueue
from threading import Thread

from desk.history.history_server import HistoryServer
from desk.model.errors import DeskError
from desk.model.history import Answer, Question


class HistoryThread:
    """Serves questions in a thread of its own, from the first question on. The thread ends with the process."""

    def __init__(self, server: HistoryServer) -> None:
        self._server = server
        self._questions: SimpleQueue[Question | None] = SimpleQueue()
        self._answers: deque[Answer] = deque()
        self._fault: DeskError | None = None
        self._thread: Thread | None = None

    def ask(self, question: Question) -> None:
        """Queue a question."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="history", daemon=True)
            self._thread.start()
        self._questions.put(question)

    def answers(self) -> list[Answer]:
        """The answers that are ready. Raises the error that ended the thread."""
        if self._fault is not None:
            raise self._fault
        return [self._answers.popleft() for _ in range(len(self._answers))]

    def close(self) -> None:
        """End the thread after its current question."""
        self._questions.put(None)

    def _run(self) -> None:
        try:
            while (question := self._questions.get()) is not None:
                self._answers.append(self._server.serve(question))
        except DeskError as fault:
            self._fault = fault
