"""Text from outside (venues, strategies, tapes, databases, Ray), made safe to show.

Control characters, terminal escapes, marks of writing direction and characters without width are spelled out. Every
sink (log, terminal, summary, report) uses these functions, so a caller that forgets them does no harm.
"""

import re
import traceback
from typing import Final

LONGEST: Final = 400
TRACEBACK: Final = "\nTraceback"
"""Begins the lines of a problem that stand below its first one."""

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def one_line(text: str) -> str:
    r"""The text on one line; what cannot be printed is spelled out, as in \n or \u202e."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def lines(text: str) -> str:
    """The text with its line breaks, each line as by `one_line`."""
    return text if text.isprintable() else "\n".join(map(one_line, text.split("\n")))


def problem(text: str) -> str:
    """A problem on one line, and its traceback, if it has one, on lines of its own below."""
    what, mark, trace = text.partition(TRACEBACK)
    return f"{one_line(what)}{lines(mark + trace)}" if mark else one_line(text)


def first_line(text: str) -> str:
    """A problem without its traceback, on one line."""
    return one_line(text.partition(TRACEBACK)[0])


def trace(fault: BaseException, frames: int | None = None) -> str:
    """The traceback of an exception, with its last `frames`; a message has no lines of its own in it."""
    told = traceback.TracebackException(type(fault), fault, fault.__traceback__, limit=frames and -frames)
    pieces = (piece.strip("\n") for piece in told.format())
    return "\n".join(lines(piece) if piece.startswith("  File ") else one_line(piece) for piece in pieces)


def from_outside(text: str, most: int = LONGEST) -> str:
    """Words of a peer that may be long: on one line, cut after `most` characters."""
    return one_line(text if len(text) <= most else text[: most - 1] + "…")


def log_piece(text: str) -> str:
    """A piece of another process's log: its line breaks stay, its colours go."""
    text = _COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    return lines(text)
