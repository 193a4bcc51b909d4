"""A table of names and values.

Tests: tests/console/test_console_cli.py
"""

from rich.table import Table

from console.display.terminal import line

Facts = list[tuple[str, str]]


def fact_table(facts: Facts) -> Table:
    """A table of two columns; a name that equals the one above it is not repeated."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    above = ""
    for name, value in facts:
        table.add_row(line(name if name != above else ""), line(value))
        above = name
    return table
