"""Screens for a running desk: a live table on a terminal, lines elsewhere, nothing with --quiet."""

from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live

from console.display.plain_lines import desk_line
from console.display.table import desk_table
from desk.model.units import MS_NS, SECOND_NS
from desk.report.desk_view import DeskView

LINE_EVERY_NS: Final = 2 * SECOND_NS
TABLE_EVERY_NS: Final = 250 * MS_NS

WallClock = Callable[[], int]


class Screen(Protocol):
    """Shows views of the desk while it is open. It may skip views."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    def show(self, view: DeskView) -> None:
        """Take the newest view."""
        ...


def screen_for(console: Console, title: str, clock_ns: WallClock, *, quiet: bool) -> Screen:
    """The screen for this console."""
    if quiet:
        return NoScreen()
    return LiveTable(console, title, clock_ns) if console.is_terminal else LineScreen(console, clock_ns)


class NoScreen:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, view: DeskView) -> None:
        """Take the view and show nothing."""


class ViewThrottle:
    """Decides which views are shown: one per `every_ns` of the clock, and each change of state."""

    def __init__(self, every_ns: int, clock_ns: WallClock) -> None:
        self._every_ns = every_ns
        self._clock_ns = clock_ns
        self._due_ns: int | None = None
        self._state = ""

    def due(self, view: DeskView) -> bool:
        """Whether to show this view. If so, the interval starts again."""
        now_ns = self._clock_ns()
        if self._due_ns is not None and now_ns < self._due_ns and view.state == self._state:
            return False
        self._due_ns = now_ns + self._every_ns
        self._state = view.state
        return True


class LineScreen:
    """Prints one line about every two seconds, one line per reason to wait, and one for the last view."""

    def __init__(self, console: Console, clock_ns: WallClock) -> None:
        self._console = console
        self._pace = ViewThrottle(LINE_EVERY_NS, clock_ns)
        self._unshown: DeskView | None = None
        self._waits = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._unshown is not None:
            self._print(self._unshown)

    def show(self, view: DeskView) -> None:
        if view.waits and view.waits == self._waits:
            return
        self._waits = view.waits
        if self._pace.due(view):
            self._print(view)
        else:
            self._unshown = view

    def _print(self, view: DeskView) -> None:
        self._console.print(desk_line(view), soft_wrap=True)
        self._unshown = None


class LiveTable:
    """A table that is redrawn in place, up to four times a second.

    It is drawn in the caller's thread: a thread of its own would compete with an in-process desk for the interpreter
    lock.
    """

    def __init__(self, console: Console, title: str, clock_ns: WallClock) -> None:
        self._console = console
        self._title = title
        self._pace = ViewThrottle(TABLE_EVERY_NS, clock_ns)
        self._newest = DeskView()
        self._live = Live(self._drawn(), console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.update(self._drawn(), refresh=True)
        self._live.__exit__(kind, error, trace)

    def show(self, view: DeskView) -> None:
        self._newest = view
        if self._pace.due(view):
            self._live.update(self._drawn(), refresh=True)

    def _drawn(self) -> RenderableType:
        return desk_table(self._newest, self._title, self._console.width)
