"""Turn the exception of a command into one message on stderr and an exit status."""

import logging
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import typer

from desk.files.private import private_opener
from desk.model.errors import DeskError, RunFailed
from desk.model.log_line import LogLine
from desk.model.plain_text import trace

UNEXPECTED: Final = 1

NO_MEMORY: Final = RunFailed(
    "memory",
    "this process cannot get more memory",
    "",
    "Free memory, or raise the limit (`ulimit -v`, or that of the container).",
)

_PASSED_ON = (typer.Exit, typer.Abort, BrokenPipeError)


class ErrorReporter:
    """Context manager around a command. A DeskError is printed without a traceback and sets the exit status.

    Any other exception is a defect of this program: it prints one line and sets exit status 1. Its traceback goes to
    `log` (desk.log of the run folder) if that is set, else to stderr.
    """

    def __init__(self) -> None:
        self.log: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DeskError):
            _print(*_lines(error))
            raise typer.Exit(error.exit_status) from None
        if isinstance(error, MemoryError):
            _print(*_lines(NO_MEMORY))
            raise typer.Exit(NO_MEMORY.exit_status) from None
        if isinstance(error, Exception) and not isinstance(error, _PASSED_ON):
            self._unexpected(error)
            raise typer.Exit(UNEXPECTED) from None

    def _unexpected(self, error: Exception) -> None:
        from desk.loading.fault_messages import kind_and_message  # noqa: PLC0415 - a command without a defect needs none

        what = kind_and_message(error)
        if self.log is not None and _write_traceback(error, self.log):
            _print(f"error: unexpected {what} (traceback in {self.log})")
            return
        _print(*trace(error).split("\n"))
        _print(f"error: unexpected {what}")


def _write_traceback(error: Exception, path: Path) -> bool:
    """Write the traceback to the run's log; return whether that was possible."""
    from desk.config.redaction import SecretFilter  # noqa: PLC0415 - a command without a defect needs none

    cause = (type(error), error, error.__traceback__)
    record = logging.LogRecord("raydesk", logging.ERROR, "", 0, "unexpected", None, cause)
    try:
        with open(path, "a", encoding="utf-8", opener=private_opener) as log:
            log.write(f"{LogLine(SecretFilter.of_environment().hide).format(record)}\n")
    except (OSError, DeskError):
        return False
    return True


def _lines(error: DeskError) -> list[str]:
    lines = [f"error: {error.place}: {error.found}"]
    if error.expected:
        lines.append(f"  expected: {error.expected}")
    if error.remedy:
        lines.append(f"  remedy:   {error.remedy}")
    return lines


def _print(*texts: str) -> None:
    from console.display.terminal import line, people_console  # noqa: PLC0415 - `desk --version` needs no rich

    console = people_console(stderr=True)
    for i, text in enumerate(texts):
        console.print(line(text, "bold red" if i == 0 else ""), soft_wrap=True)
