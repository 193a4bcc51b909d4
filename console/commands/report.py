"""`desk report`: the figures of a finished run, from its folder.

Tests: tests/console/test_console_cli.py
"""

from pathlib import Path

from rich.console import Console

from console.display.figures import print_figures, verdict
from console.display.terminal import line
from desk.runs import RunFolder


def print_report(path: Path, console: Console) -> None:
    """Print the run in the folder `path`. Raises RunFolderError when it holds no finished run."""
    folder = RunFolder.open(path)
    summary = folder.figures()
    print_figures(console, summary)
    console.print(line(verdict(summary, folder.dir)), soft_wrap=True)
