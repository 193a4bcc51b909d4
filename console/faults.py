"""From what a command raises to one message on stderr and an exit status."""

import traceback
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import typer
from rich.console import Console
from rich.text import Text

from desk.model.errors import DeskError
from desk.private_files import private_opener

UNEXPECTED: Final = 1

_PASSED_ON = (typer.Exit, typer.Abort, BrokenPipeError)


class Faults:
    """Wraps a command. A DeskError is told without a traceback and exits with its own status.

    Anything else is a defect of this program: one line, status 1, and the traceback goes into `log` once
    there is one (desk.log of the run folder), else to stderr.
    """

    def __init__(self) -> None:
        self.log: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DeskError):
            _tell(*_lines(error))
            raise typer.Exit(error.exit_status) from None
        if isinstance(error, Exception) and not isinstance(error, _PASSED_ON):
            self._unexpected(error)
            raise typer.Exit(UNEXPECTED) from None

    def _unexpected(self, error: Exception) -> None:
        details = "".join(traceback.format_exception(error))
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        if self.log is None:
            _tell(details.rstrip())
            _tell(f"error: unexpected {what}")
            return
        try:
            with open(self.log, "a", encoding="utf-8", opener=private_opener) as log:
                log.write(details)
        except OSError:
            _tell(details.rstrip())
            _tell(f"error: unexpected {what}")
            return
        _tell(f"error: unexpected {what} (traceback in {self.log})")


def _lines(error: DeskError) -> list[str]:
    lines = [f"error: {error.place}: {error.found}"]
    if error.expected:
        lines.append(f"  expected: {error.expected}")
    if error.remedy:
        lines.append(f"  remedy:   {error.remedy}")
    return lines


def _tell(*lines: str) -> None:
    console = Console(stderr=True)
    for i, line in enumerate(lines):
        style = "bold red" if i == 0 else ""
        console.print(Text(line, style=style), soft_wrap=True, highlight=False)
