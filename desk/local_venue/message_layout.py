"""The layout of messages: which events become messages of which channel, and their keys.

Tests: tests/desk/local_venue/test_local_venue_messages.py
"""

from collections.abc import Callable
from dataclasses import dataclass

from desk.local_venue.byte_fields import Field
from desk.local_venue.column_encoders import Wire
from desk.model.blocks import Block

Columns = Callable[[Block, Wire, bool], list[tuple[str, Field]]]
"""The keys and values of events of one kind; the last argument: ids are written later."""


@dataclass(frozen=True, slots=True)
class MessageKind:
    """Events of the kind `number` (desk.model.blocks) as messages for subscribers of `channel`.

    `is_uneven`: rare, with texts of very different lengths; they are written one by one (see byte_fields).
    """

    number: int
    channel: str
    columns: Columns
    is_uneven: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MessageLayout:
    """The kinds of events that become messages; others are not sent."""

    kinds: tuple[MessageKind, ...]
