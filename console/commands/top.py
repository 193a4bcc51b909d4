"""`desk top`: a running desk as a live table, from its run folder or, on another node, from its keeper."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live

from console.display.plain_lines import desk_line
from console.display.process_table import process_table
from console.display.table import desk_table
from console.display.terminal import line
from desk.config import load_settings
from desk.files.private import read_regular
from desk.model.errors import RunFolderError
from desk.model.units import SECOND_NS
from desk.report.live_snapshot import LiveSnapshot, decode_snapshot
from desk.runs import RunFolder

LOOK_EVERY_S: Final = 0.25
FRESH_NS: Final = 10 * SECOND_NS
"""A desk publishes once a second; after this time without a snapshot it is taken for dead."""
ADDRESS_VARIABLE: Final = "RAY_ADDRESS"


class SnapshotSource(Protocol):
    """Where the snapshots of one desk are read."""

    place: str

    def read(self) -> LiveSnapshot | None:
        """The last snapshot; None once the desk has ended. Raises DeskError."""
        ...


class FolderSource:
    """The snapshots in a run folder."""

    def __init__(self, folder: RunFolder) -> None:
        self.place = str(folder.dir)
        self._live = folder.live

    def read(self) -> LiveSnapshot | None:
        """The last snapshot; None if the folder has none. Raises RunFolderError."""
        try:
            return decode_snapshot(read_regular(self._live))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            found = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            raise RunFolderError(
                str(self._live),
                f"it cannot be read: {found}",
                "the file that a running desk of this release writes",
                "Use the release that runs the desk.",
            ) from error


def watch_desk(path: Path | None, console: Console) -> None:
    """Show the desk until it ends, or until Ctrl-c. Raises DeskError where none runs."""
    with _source(path) as source:
        first = source.read()
        if first is None or not _is_fresh(first):
            raise _no_desk(source.place, "no desk runs here")
        follow = _follow_table if console.is_terminal else _follow_lines
        try:
            last = follow(source, first, console)
        except KeyboardInterrupt:  # it ends the table, not the desk
            return
    how = "has ended" if _is_fresh(last) else "does not publish any more"
    console.print(line(f"{last.run_id}: the desk {how}"), soft_wrap=True)


def newest_running(runs: Path) -> Path | None:
    """The folder of the desk that published last among those that run; None for none."""
    found: list[tuple[float, Path]] = []
    for file in runs.glob("*/live.msgpack"):
        try:
            changed_s = file.stat().st_mtime
        except OSError:  # the desk has just ended
            continue
        if time.time() - changed_s < FRESH_NS / SECOND_NS:
            found.append((changed_s, file.parent))
    return max(found)[1] if found else None


def _source(path: Path | None) -> AbstractContextManager[SnapshotSource]:
    """The folder, else the newest desk that runs here, else the newest one of the cluster that RAY_ADDRESS names."""
    if path is not None:
        return nullcontext(FolderSource(RunFolder(path)))
    runs = load_settings().runs_dir
    newest = newest_running(runs)
    if newest is not None:
        return nullcontext(FolderSource(RunFolder(newest)))
    if os.environ.get(ADDRESS_VARIABLE, "") in {"", "local"}:
        raise _no_desk(str(runs), f"no desk runs here, and {ADDRESS_VARIABLE} names no cluster")
    from actors.driver.published_desk import published_desk  # noqa: PLC0415 - Ray takes a second to import

    return published_desk(os.environ[ADDRESS_VARIABLE])


def _follow_table(source: SnapshotSource, first: LiveSnapshot, console: Console) -> LiveSnapshot:
    before: LiveSnapshot | None = None

    def drawn(now: LiveSnapshot) -> RenderableType:
        title = f"{now.plan} · {now.run_id}"
        table = desk_table(now.view, title, console.width)
        return Group(table, process_table(before, now, console.width))

    with Live(drawn(first), console=console, auto_refresh=False) as live:

        def show(earlier: LiveSnapshot, now: LiveSnapshot) -> None:
            nonlocal before
            before = earlier
            live.update(drawn(now), refresh=True)

        return _follow(source, first, show)


def _follow_lines(source: SnapshotSource, first: LiveSnapshot, console: Console) -> LiveSnapshot:
    console.print(desk_line(first.view), soft_wrap=True)
    return _follow(source, first, lambda _, now: console.print(desk_line(now.view), soft_wrap=True))


def _follow(
    source: SnapshotSource, first: LiveSnapshot, show: Callable[[LiveSnapshot, LiveSnapshot], None]
) -> LiveSnapshot:
    """Show each new snapshot with the one before, until the desk ends; return the last one."""
    last = first
    while True:
        time.sleep(LOOK_EVERY_S)
        now = source.read()
        if now is None:
            return last
        if now.wall_ns != last.wall_ns:
            show(last, now)
            last = now
        elif not _is_fresh(last):
            return last


def _is_fresh(snapshot: LiveSnapshot) -> bool:
    return abs(time.time_ns() - snapshot.wall_ns) < FRESH_NS


def _no_desk(place: str, found: str) -> RunFolderError:
    return RunFolderError(
        place,
        found,
        "the folder of a running desk",
        "Name one: `desk run` prints it. On another node of its cluster, set RAY_ADDRESS to the cluster's address.",
    )
