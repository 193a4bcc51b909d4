"""Text from outside (venues, strategies, tapes, databases, Ray), made safe to show.

Control characters, terminal escapes, bidirectional controls and zero-width characters are escaped. Every sink (log,
terminal, summary, report) uses these functions, so a caller that forgets them does no harm.
"""

import re
import traceback
from typing import Final

LONGEST: Final = 400
TRACEBACK: Final = "\nTraceback"
"""Separates the first line of a problem from its further lines."""

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def one_line(text: str) -> str:
    r"""The text on one line; unprintable characters are escaped, as in \n or \u202e."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def lines(text: str) -> str:
    """The text with its line breaks, each line escaped like in `one_line`."""
    return text if text.isprintable() else "\n".join(map(one_line, text.split("\n")))


def problem(text: str) -> str:
    """A problem on one line, and its traceback, if any, on the lines below."""
    what, mark, trace = text.partition(TRACEBACK)
    return f"{one_line(what)}{lines(mark + trace)}" if mark else one_line(text)


def first_line(text: str) -> str:
    """A problem without its traceback, on one line."""
    return one_line(text.partition(TRACEBACK)[0])


def trace(fault: BaseException, frames: int | None = None) -> str:
    """The traceback of an exception, with its last `frames`; the message is put on one line."""
    told = traceback.TracebackException(type(fault), fault, fault.__traceback__, limit=frames and -frames)
    pieces = (piece.strip("\n") for piece in told.format())
    return "\n".join(lines(piece) if piece.startswith("  File ") else one_line(piece) for piece in pieces)


def from_outside(text: str, most: int = LONGEST) -> str:
    """Text of a peer, of any length: on one line, cut after `most` characters."""
    return one_line(text if len(text) <= most else text[: most - 1] + "…")


def log_piece(text: str) -> str:
    """A piece of another process's log, with its line breaks, without its colours."""
    text = _COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    return lines(text)
