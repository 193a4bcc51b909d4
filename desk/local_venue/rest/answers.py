"""All REST paths of the venue, of Alpaca's and Polygon's protocol, without a socket: a question in, an answer out.

Tests: tests/desk/local_venue/test_alpaca_answers.py, tests/desk/local_venue/test_polygon_answers.py
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.polygon.polygon_answers import PolygonAnswers
from desk.local_venue.rest.alpaca_actions import AlpacaActions
from desk.local_venue.rest.alpaca_answers import AlpacaAnswers
from desk.local_venue.rest.alpaca_data import AlpacaData
from desk.local_venue.rest.alpaca_screener import AlpacaScreener
from desk.local_venue.rest.alpaca_trading import AlpacaTrading
from desk.local_venue.rest.market_past import MarketPast
from desk.local_venue.rest.market_store import MarketStore
from desk.local_venue.rest.query import Query
from desk.local_venue.rest.rest_fault import RestFault
from desk.local_venue.rest.rest_hosts import RestHost, fault_body, host_of
from desk.local_venue.rest.trading_days import DaysOf
from desk.local_venue.venue_settings import ENDPOINTS, PlaySettings
from desk.model.blocks import BlockSource
from desk.model.corporate_actions import CorporateAction

OK: Final = 200
NOT_FOUND: Final = 404


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


class Answers:
    """Reads the source as far as the questions need, and keeps it."""

    def __init__(self, setup: AnswerSetup) -> None:
        self._store = MarketStore(setup.source, setup.play)
        past = MarketPast(self._store, setup.play, setup.days_of, setup.actions)
        self._alpaca = AlpacaAnswers(
            AlpacaData(past, setup.entitled, crypto=False),
            AlpacaData(past, setup.entitled, crypto=True),
            AlpacaTrading(past),
            AlpacaScreener(past),
            AlpacaActions(setup.actions, past),
        )
        self._polygon = PolygonAnswers(past, setup.actions)

    def answer(self, question: RestQuestion) -> RestAnswer:
        """The answer; faults of the request are answers, too."""
        host = host_of(question.path)
        try:
            self._store.advance(question.moment)
            body = self._body(host, question)
        except RestFault as fault:
            return RestAnswer(fault.status, fault_body(host, fault.status, fault.text))
        if body is None:
            return RestAnswer(NOT_FOUND, fault_body(host, NOT_FOUND, "endpoint not found."))
        return RestAnswer(OK, msgspec.json.encode(body))

    def _body(self, host: RestHost, question: RestQuestion) -> Any:
        path, query = unquote(question.path), Query(question.query)
        if host != "polygon":
            return self._alpaca.answer(path, query, question.moment)
        body = self._polygon.answer(path, query, question.moment)
        if body is not None and "next_url" in body:
            body["next_url"] = question.origin + body["next_url"]
        return body
