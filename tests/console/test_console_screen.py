from io import StringIO

import msgspec
import pytest
from rich.console import Console

from console.display.screen import LiveTable, NoScreen, screen_for
from desk.report.desk_view import DeskView


class Hand:
    """A clock that its test turns."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def lines_of(console: Console) -> list[str]:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def at(view: DeskView, consumed_per_s: float) -> DeskView:
    return msgspec.structs.replace(view, consumed_per_s=consumed_per_s)


def test_a_pipe_gets_a_line_every_two_seconds_and_a_last_one(busy_desk: DeskView) -> None:
    clock, console = Hand(), Console(file=StringIO(), width=80)

    with screen_for(console, "p", clock, quiet=False) as screen:
        for tenth in range(45):
            clock.now_ns = tenth * 100_000_000
            screen.show(at(busy_desk, tenth))

    assert [line.split("consumed ")[1].split("/s")[0] for line in lines_of(console)] == ["0", "20", "40", "44"]


def test_a_line_is_one_line_however_narrow_and_holds_no_escape(busy_desk: DeskView) -> None:
    console = Console(file=StringIO(), width=40)

    with screen_for(console, "p", Hand(), quiet=False) as screen:
        screen.show(busy_desk)

    (line,) = lines_of(console)
    assert "\x1b" not in line
    for told in ("running", "37%", "2013-10-07 09:35:00", "produced 183k/s", "queue p99 1.81 s", "P&L -123.45"):
        assert told in line


def test_a_change_of_state_is_reported_at_once(busy_desk: DeskView) -> None:
    console = Console(file=StringIO(), width=80)

    with screen_for(console, "p", Hand(), quiet=False) as screen:
        screen.show(busy_desk)
        screen.show(msgspec.structs.replace(busy_desk, state="draining"))

    assert [line.split()[0] for line in lines_of(console)] == ["running", "draining"]


def test_a_quiet_screen_shows_nothing(busy_desk: DeskView) -> None:
    console = Console(file=StringIO(), force_terminal=True)

    with screen_for(console, "p", Hand(), quiet=True) as screen:
        screen.show(busy_desk)

    assert isinstance(screen, NoScreen)
    assert lines_of(console) == []


def test_a_terminal_gets_a_table_that_ends_with_the_newest_view(
    busy_desk: DeskView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(file=StringIO(), width=100, force_terminal=True)

    with screen_for(console, "opening-range", Hand(), quiet=False) as screen:
        screen.show(busy_desk)
        screen.show(at(busy_desk, 777_000))

    assert isinstance(screen, LiveTable)
    assert "777k/s" in "\n".join(lines_of(console))
    assert "09:35:00" in "\n".join(lines_of(console))


def test_a_table_gives_the_terminal_back_when_the_run_raises() -> None:
    console = Console(file=StringIO(), width=100, force_terminal=True)

    with pytest.raises(ZeroDivisionError), screen_for(console, "p", Hand(), quiet=False):
        raise ZeroDivisionError

    assert "\x1b[?25h" in "".join(lines_of(console))


def test_what_a_desk_waits_for_is_one_line_however_long_it_waits(busy_desk: DeskView) -> None:
    clock, console = Hand(), Console(file=StringIO(), width=80)
    waiting = msgspec.structs.replace(busy_desk, state="waiting", waits="XNYS is closed; it starts on Monday")

    with screen_for(console, "p", clock, quiet=False) as screen:
        for second in range(60):
            clock.now_ns = second * 1_000_000_000
            screen.show(waiting)
        screen.show(busy_desk)

    first, second = lines_of(console)
    assert first == "waiting  XNYS is closed; it starts on Monday"
    assert second.startswith("running")
