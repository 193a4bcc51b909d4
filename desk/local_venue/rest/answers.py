"""All REST paths of the venue, of Alpaca's and Polygon's protocol, without a socket: a question in, an answer out.

Tests: tests/desk/local_venue/test_alpaca_answers.py, tests/desk/local_venue/test_polygon_answers.py
"""

from typing import Any, Final
from urllib.parse import unquote

import msgspec

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
from desk.local_venue.rest.rest_records import AnswerSetup, RestAnswer, RestQuestion

OK: Final = 200
NOT_FOUND: Final = 404


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
