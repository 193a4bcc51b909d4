"""Writes the fields of many messages at once with numpy, without a loop over messages.

A message is a run of fields, each at most as wide as its column. Fields are written column by column from left to
right, each at full width: the bytes that a short value writes beyond its end are overwritten by the next column.

Tests: tests/desk/local_venue/test_local_venue_messages.py
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Field:
    """One column: `values` is a void array (one item per message) or a single item for all.

    `lengths` is the number of valid bytes of each item. `mark` names a column whose offset is needed later.
    """

    values: NDArray[np.void]
    lengths: Ints | int
    mark: str = ""


def constant(text: bytes, mark: str = "") -> Field:
    """The same bytes in every message."""
    return Field(np.frombuffer(text, f"V{len(text)}"), len(text), mark)


def fixed(matrix: Bytes, mark: str = "") -> Field:
    """Rows of equal width, shape (messages, width)."""
    width = matrix.shape[1]
    return Field(np.ascontiguousarray(matrix).view(f"V{width}").ravel(), width, mark)


def chosen(table: Sequence[bytes], index: NDArray[Any]) -> Field:
    """For each message the entry of `table` that `index` names."""
    lengths = np.array([len(text) for text in table], np.int64)
    width = max(1, int(lengths.max()))
    padded = np.frombuffer(b"".join(text.ljust(width) for text in table), f"V{width}")
    return Field(padded[index], lengths[index])


@dataclass(slots=True)
class Layout:
    """Messages in one buffer: message i is buffer[edges[i]:edges[i + 1]]; `marks` are byte offsets."""

    buffer: Bytes
    edges: Ints
    marks: dict[str, Ints]


def lay_out(groups: Sequence[tuple[NDArray[np.intp], Sequence[Field]]], count: int) -> Layout:
    """Write the groups' messages to one buffer of `count` messages; each group gives its messages' positions.

    A position without a message is empty. In every message the fields after a short value must be at least as long as
    the bytes that it writes beyond its end.
    """
    widths = np.zeros(count, np.int64)
    for rows, fields in groups:
        for field in fields:
            widths[rows] += field.lengths
    edges = np.concatenate((np.zeros(1, np.int64), np.cumsum(widths)))
    slack = max((field.values.itemsize for _, fields in groups for field in fields), default=0)
    buffer = np.empty(int(edges[-1]) + slack, np.uint8)
    marks: dict[str, list[tuple[NDArray[np.intp], Ints]]] = {}
    for rows, fields in groups:
        at = edges[rows]
        for field in fields:
            scatter(buffer, at, field.values)
            if field.mark:
                marks.setdefault(field.mark, []).append((rows, at))
            at = at + field.lengths
    return Layout(buffer, edges, {mark: _in_order(parts) for mark, parts in marks.items()})


def scatter(buffer: Bytes, at: Ints, items: NDArray[Any]) -> None:
    """Write items at byte offsets, through a view of the buffer as overlapping items, one at each byte."""
    overlapping = np.ndarray((len(buffer) - items.itemsize + 1,), items.dtype, buffer, strides=(1,))
    overlapping[at] = items


def _in_order(parts: list[tuple[NDArray[np.intp], Ints]]) -> Ints:
    rows = np.concatenate([rows for rows, _ in parts])
    return np.concatenate([at for _, at in parts])[np.argsort(rows)]
