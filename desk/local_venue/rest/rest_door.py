"""Keys, rate limit and latency of the REST endpoints; the answers come from a process of their own."""

import asyncio
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.answer_process import AnswerProcess
from desk.local_venue.rest.answers import AnswerSetup, RestAnswer, RestQuestion
from desk.local_venue.rest.rate_window import RateWindow
from desk.local_venue.rest.rest_hosts import RestHost, fault_body, host_of
from desk.local_venue.venue_settings import AccessRules
from desk.model.corporate_actions import CorporateAction
from desk.model.errors import PlanError

PER_MINUTE: Final = 200
REFUSALS: Final = {
    "trading": "access key verification failed",
    "data": "unauthorized.",
    "polygon": "Unknown API Key",
}
LIMITED: Final = {
    "trading": "rate limit exceeded",
    "data": "too many requests.",
    "polygon": "You've exceeded the maximum requests per minute.",
}


@dataclass(frozen=True, slots=True)
class RestSettings:
    """How the REST endpoints behave. `per_minute` is the limit of a key at a host, None for no limit."""

    per_minute: int | None = PER_MINUTE
    latency_s: float = 0.0
    actions: Sequence[CorporateAction] = ()

    def __post_init__(self) -> None:
        if self.per_minute is not None and self.per_minute < 1:
            raise PlanError("--rest-per-minute", f"{self.per_minute}", "a number above 0", "Give another value.")
        if not 0 <= self.latency_s < 3600:
            raise PlanError("--rest-latency-ms", f"{self.latency_s * 1000:g}", "0 or more", "Give another value.")


class RestDoor:
    """Answers requests of REST protocols. `requests` counts them, `limited` those that were refused with 429."""

    def __init__(
        self, rules: AccessRules, settings: RestSettings, setup: AnswerSetup, present: Callable[[], PlayMoment]
    ) -> None:
        self.requests = 0
        self.limited = 0
        self._rules = rules
        self._settings = settings
        self._present = present
        self._process = AnswerProcess(setup)
        self._windows: dict[tuple[RestHost, str], RateWindow] = {}

    async def answer(self, request: Request) -> Response:
        """The response to a request."""
        self.requests += 1
        path, _, query = request.path.partition("?")
        host = host_of(path)
        if self._settings.latency_s:
            await asyncio.sleep(self._settings.latency_s)
        key = self._key(host, request.headers, query)
        if key is None:
            return _response(RestAnswer(401, fault_body(host, 401, REFUSALS[host])), {})
        headers: dict[str, str] = {}
        if self._settings.per_minute is not None:
            window = self._windows.setdefault((host, key), RateWindow(self._settings.per_minute))
            taken = window.take()
            headers = window.headers()
            if not taken:
                self.limited += 1
                return _response(RestAnswer(429, fault_body(host, 429, LIMITED[host])), headers)
        if request.method != "GET":
            return _response(RestAnswer(405, fault_body(host, 405, "the venue takes no orders")), headers)
        origin = f"http://{request.headers.get('Host', '')}"
        return _response(await self._process.ask(RestQuestion(path, query, origin, self._present())), headers)

    async def close(self) -> None:
        """End the process of the answers."""
        await self._process.close()

    def _key(self, host: RestHost, headers: Headers, query: str) -> str | None:
        """The request's key; None if it has none, or a wrong one."""
        kind, _, given = headers.get("Authorization", "").partition(" ")
        secret: str | None
        if host == "polygon":
            key = given if kind == "Bearer" else next(iter(parse_qs(query).get("apiKey", [])), "")
            secret = self._rules.secret
        elif kind == "Basic":
            key, _, secret = _decoded(given).partition(":")
        else:
            key, secret = headers.get("APCA-API-KEY-ID", ""), headers.get("APCA-API-SECRET-KEY", "")
        right = self._rules.key in {None, key} and self._rules.secret in {None, secret}
        return key if key and right else None


def _decoded(credentials: str) -> str:
    try:
        return b64decode(credentials, validate=True).decode()
    except ValueError:
        return ""


def _response(answer: RestAnswer, headers: dict[str, str]) -> Response:
    status = HTTPStatus(answer.status)
    fields = {
        "Date": formatdate(usegmt=True),
        "Connection": "close",
        "Content-Length": str(len(answer.body)),
        "Content-Type": "application/json; charset=UTF-8",
        **headers,
    }
    return Response(status.value, status.phrase, Headers(fields), answer.body)
