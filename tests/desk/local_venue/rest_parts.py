"""Answers of the venue without a socket, and naive oracles for them."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.answers import Answers, AnswerSetup, RestQuestion
from desk.local_venue.rest.trading_days import WeekDays
from desk.local_venue.venue_settings import PlaySettings
from desk.model.blocks import BlockSource
from desk.model.corporate_actions import CorporateAction

END = 1 << 62


def moment_at(reached_ns: int, **more: Any) -> PlayMoment:
    """A play without restamping that has come so far."""
    return PlayMoment(session_ns=reached_ns, reached_ns=reached_ns, **more)


class Asking:
    """Asks one source's answers."""

    def __init__(
        self,
        source: BlockSource,
        play: PlaySettings | None = None,
        actions: Sequence[CorporateAction] = (),
        entitled: tuple[str, ...] = ("iex", "sip"),
    ) -> None:
        setup = AnswerSetup(source, play or PlaySettings(), WeekDays, actions, entitled)
        self.answers = Answers(setup)

    def raw(self, path: str, moment: PlayMoment, **params: object) -> tuple[int, Any]:
        """Status and body."""
        named = {name.replace("__", "."): value for name, value in params.items()}
        question = RestQuestion(path, urlencode(named), "http://venue", moment)
        status, body = self.answers.answer(question)
        return status, json.loads(body)

    def get(self, path: str, moment: PlayMoment, **params: object) -> Any:
        """The body of an answer with status 200."""
        status, body = self.raw(path, moment, **params)
        assert status == 200, body
        return body

    def pages(self, path: str, moment: PlayMoment, key: str, **params: object) -> list[dict[str, list[Any]]]:
        """All pages of a request."""
        out: list[dict[str, list[Any]]] = []
        token = None
        while not out or token is not None:
            more = {} if token is None else {"page_token": token}
            body = self.get(path, moment, **params, **more)
            out.append(body[key])
            token = body["next_page_token"]
        return out
