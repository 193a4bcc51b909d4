"""HTML built from escaped parts: only this module makes `Html`, so nothing unescaped reaches a page.

Unprintable characters are escaped: a bidirectional control would reorder a line of the page.

Tests: tests/desk/report/test_report_page.py
"""

from collections.abc import Iterable, Sequence
from html import escape

from desk.model.plain_text import lines


class Html(str):
    """Text that is markup; every other string is escaped when it is inserted."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str | float) -> Html:
    """One element. `class_` stands for class; underscores in attribute names become hyphens."""
    attrs = "".join(f' {key.rstrip("_").replace("_", "-")}="{_text(str(value))}"' for key, value in attributes.items())
    return Html(f"<{name}{attrs}>{joined(children)}</{name}>")


def joined(children: Iterable[str]) -> Html:
    """The concatenated parts."""
    return Html("".join(child if isinstance(child, Html) else _text(child) for child in children))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """A table whose first column names its rows; the others are figures, aligned right."""
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    body = (tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows)
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll")


def section(title: str, *children: str) -> Html:
    """A titled part of the page."""
    return tag("section", tag("h2", title), *children)


def _text(text: str) -> str:
    return escape(lines(text))
