"""Questions to the REST endpoints, and their answers. Light to import: the answers are made in another process.

Tests: tests/desk/local_venue/test_rest_door.py
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.trading_days import DaysOf
from desk.local_venue.venue_settings import ENDPOINTS, PlaySettings
from desk.model.blocks import BlockSource
from desk.model.corporate_actions import CorporateAction


@dataclass(frozen=True, slots=True)
class AnswerSetup:
    """What the answers are made of. It is sent to a process of its own, so all of it must pickle."""

    source: BlockSource
    play: PlaySettings
    days_of: DaysOf
    actions: Sequence[CorporateAction] = ()
    entitled: tuple[str, ...] = field(default=tuple(endpoint.removeprefix("/v2/") for endpoint in ENDPOINTS))


class RestQuestion(msgspec.Struct, frozen=True):
    """A request: path and query of its URL, the address that it was sent to, and the play's present."""

    path: str
    query: str
    origin: str
    moment: PlayMoment


class RestAnswer(NamedTuple):
    """An HTTP status and a JSON body."""

    status: int
    body: bytes
