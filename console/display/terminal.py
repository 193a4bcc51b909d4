"""Consoles that print text as it is: no control characters reach the terminal, and no text is read as markup.

Tests: tests/console/test_console_cli.py
"""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from desk.model.plain_text import one_line


class PlainConsole(Console):
    """A console that shows strings as they are: no markup, no emoji names, no control characters.

    Rich itself drops only five control characters, and passes escape sequences on.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render without the unprintable characters of the text; rich's own control codes stay."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                kept = "".join(sign for sign in text if sign.isprintable() or sign == "\n")
                yield Segment(kept, segment.style)


def people_console(stream: Any = None, *, stderr: bool = False) -> Console:
    """A console on stdout, stderr or a stream. Without a terminal it is wide enough that no figure is cut."""
    console = PlainConsole(file=stream, stderr=stderr)
    return console if console.is_terminal else PlainConsole(file=stream, stderr=stderr, width=160)


def line(text: str, style: str = "") -> Text:
    """The text on one line, with unprintable characters escaped."""
    return Text(one_line(text), style=style)
