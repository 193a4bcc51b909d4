"""A `requests` session that keeps to a host's rate limit, and in which each call has a time limit.

Tests: tests/desk/venues/test_rest_session.py
"""

import random
import time
from typing import Any, Final

import requests
from urllib3.exceptions import HTTPError

from desk.venues.rest.request_budget import REFUSED, BudgetTimeout, RequestBudget, RequestClass

CONNECT_S: Final = 5.0
READ_S: Final = 10.0
MAX_BYTES: Final = 64 << 20
PART_BYTES: Final = 256 << 10
RETRIES: Final = 2
"""Of a GET that got no answer or a passing error."""
PASSING: Final = frozenset({REFUSED, 500, 502, 503, 504})
"""Statuses after which the same GET may succeed."""
BACK_OFF_S: Final = 0.5


class RestSession(requests.Session):
    """The session that a vendor's client sends its requests through, all of one class.

    A call takes `limit_s` at most, its waits for the rate limit and its retries included. Only a GET is retried, and
    never one of class "orders". No redirect is followed; proxies, credentials and certificates that the environment
    names are not used. Raises requests.RequestException.
    """

    def __init__(self, budget: RequestBudget, kind: RequestClass, limit_s: float, max_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        self.trust_env = False
        self._budget = budget
        self._kind = kind
        self._limit_s = limit_s
        self._max_bytes = max_bytes

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send one request, or its retries; return the last answer, also one with an error status."""
        until_s = time.monotonic() + self._limit_s
        retries = RETRIES if method.upper() == "GET" and self._kind != "orders" else 0
        for attempt in range(retries + 1):
            last = attempt == retries
            try:
                self._budget.take(self._kind, until_s)
                answer = self._send_once(method, url, until_s, options)
            except BudgetTimeout as timeout:
                raise requests.Timeout(str(timeout)) from timeout
            except (requests.ConnectionError, requests.Timeout):
                if last or not self._rest(attempt, until_s):
                    raise
                continue
            self._budget.answered(answer.status_code, answer.headers)
            if last or answer.status_code not in PASSING:
                break
            # After a refusal the budget waits as long as the host wants.
            if answer.status_code != REFUSED and not self._rest(attempt, until_s):
                break
        return answer

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the base class's
        """None: no redirect is followed, and the body of one is bounded as any other."""
        return None

    def _send_once(self, method: str, url: str, until_s: float, options: dict[str, Any]) -> requests.Response:
        left_s = max(until_s - time.monotonic(), 0.001)
        limits = {"timeout": (min(CONNECT_S, left_s), min(READ_S, left_s)), "allow_redirects": False, "stream": True}
        answer = super().request(method, url, **(options | limits))
        with answer:
            body = self._body(answer, until_s)
        # `requests` itself reads a streamed body without any limit of time or size.
        answer.encoding = "utf-8"  # without it `requests` guesses
        answer._content = body  # noqa: SLF001 - no public way sets it
        return answer

    def _body(self, answer: requests.Response, until_s: float) -> bytes:
        """The whole body. Raises requests.RequestException where it is too large, too slow, or cut off."""
        body = bytearray()
        try:
            while part := answer.raw.read1(PART_BYTES, decode_content=True):
                body += part
                if len(body) > self._max_bytes:
                    raise requests.RequestException(f"the answer has more than {self._max_bytes >> 20} MiB")
                if time.monotonic() > until_s:
                    raise requests.Timeout(f"the answer was not complete within {self._limit_s:g} s")
        except (OSError, HTTPError) as error:
            if isinstance(error, requests.RequestException):
                raise
            raise requests.ConnectionError(str(error)) from error
        return bytes(body)

    @staticmethod
    def _rest(attempt: int, until_s: float) -> bool:
        """Back off with jitter before another attempt; False if no time is left for it."""
        wait_s = BACK_OFF_S * 2**attempt * (0.5 + random.random() / 2)  # noqa: S311 - jitter is no secret
        if time.monotonic() + wait_s >= until_s:
            return False
        time.sleep(wait_s)
        return True
