"""Names beside values, in two columns."""

from rich.table import Table

from console.terminal import line

Facts = list[tuple[str, str]]


def fact_table(facts: Facts) -> Table:
    """Names beside values; a name that repeats the one above it is left out."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    above = ""
    for name, value in facts:
        table.add_row(line(name if name != above else ""), line(value))
        above = name
    return table
