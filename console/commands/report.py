"""`desk report`: the figures of a finished run, from its folder.

Tests: tests/console/test_console_cli.py
"""

from pathlib import Path

import msgspec
from rich.console import Console

from console.display.figures import print_figures, verdict
from console.display.terminal import line
from desk.model.errors import RunFolderError
from desk.report.summary import Summary
from desk.runs import RunFolder


def print_report(path: Path, console: Console) -> None:
    """Print the run in the folder `path`. Raises RunFolderError when it holds no finished run."""
    folder = RunFolder.open(path)
    summary = read_summary(folder)
    print_figures(console, summary)
    console.print(line(verdict(summary, folder.dir)), soft_wrap=True)


def read_summary(folder: RunFolder) -> Summary:
    """The run's figures, typed. Raises RunFolderError when summary.json is not one."""
    try:
        return Summary.of(folder.read_summary())
    except msgspec.ValidationError as error:
        raise RunFolderError(
            str(folder.summary),
            f"it is no summary of a run: {error}",
            "the folder of a finished run",
            "Name one; `desk run` prints it at its end.",
        ) from error
