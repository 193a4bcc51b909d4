import gzip
import socket
import time
from collections.abc import Iterator
from itertools import count

import pytest
import requests
from alpaca_rest_server import AlpacaRestServer, Answer, alpaca_rest_server

from desk.venues.rest.request_budget import RequestBudget, RequestClass
from desk.venues.rest.rest_session import RETRIES, RestSession


@pytest.fixture
def server() -> Iterator[AlpacaRestServer]:
    numbers = count(1)
    with alpaca_rest_server({"/page": lambda query: {"number": next(numbers)} | query}) as running:
        yield running


def a_session(kind: RequestClass = "history", limit_s: float = 20.0, **more: int) -> tuple[RestSession, RequestBudget]:
    budget = RequestBudget("host")
    return RestSession(budget, kind, limit_s, **more), budget


def test_an_answer_is_read_whole_and_its_connection_is_used_again(server: AlpacaRestServer) -> None:
    session, _ = a_session()

    with session:
        answers = [session.get(f"{server.url}/page", params={"a": "1"}).json() for _ in range(3)]

    assert answers == [{"number": number, "a": "1"} for number in (1, 2, 3)]
    assert len({asked.connection for asked in server.asked}) == 1


def test_a_packed_answer_is_unpacked(server: AlpacaRestServer) -> None:
    server.next_answers = [Answer(raw=gzip.compress(b'{"a":1}' + b" " * 999_999), headers={"Content-Encoding": "gzip"})]
    session, _ = a_session()

    with session:
        answer = session.get(f"{server.url}/page")

    assert answer.json() == {"a": 1}
    assert len(answer.content) > 999_999


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_error_of_a_get_is_retried(server: AlpacaRestServer, status: int) -> None:
    server.next_answers = [Answer(status, headers={"Retry-After": "1"})]
    session, budget = a_session()

    with session:
        answer = session.get(f"{server.url}/page")

    assert answer.status_code == 200
    assert len(server.asked) == 2
    assert budget.refusals == (status == 429)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 422])
def test_another_error_is_returned_at_once_and_no_redirect_is_followed(server: AlpacaRestServer, status: int) -> None:
    server.next_answers = [Answer(status, {"message": "no"}, {"Location": f"{server.url}/elsewhere"})]
    session, _ = a_session()

    with session:
        answer = session.get(f"{server.url}/page")

    assert (answer.status_code, answer.json()) == (status, {"message": "no"})
    assert len(server.asked) == 1


def test_a_refused_get_waits_as_long_as_the_header_says(server: AlpacaRestServer) -> None:
    server.next_answers = [Answer(429, headers={"Retry-After": "1"})]
    session, _ = a_session()
    began_s = time.monotonic()

    with session:
        session.get(f"{server.url}/page")

    assert time.monotonic() - began_s >= 1.0


def test_retries_end(server: AlpacaRestServer) -> None:
    server.next_answers = [Answer(503)] * 9
    session, _ = a_session()

    with session:
        answer = session.get(f"{server.url}/page")

    assert answer.status_code == 503
    assert len(server.asked) == RETRIES + 1


@pytest.mark.parametrize("status", [429, 500, 504])
def test_no_order_is_ever_repeated(server: AlpacaRestServer, status: int) -> None:
    server.next_answers = [Answer(status)]
    session, _ = a_session("orders")

    with session:
        answer = session.get(f"{server.url}/page")

    assert answer.status_code == status
    assert len(server.asked) == 1


def test_a_server_that_sends_byte_by_byte_is_left_at_the_time_limit(server: AlpacaRestServer) -> None:
    server.next_answers = [Answer(raw=b" " * 10_000, drip_s=0.05)]
    session, _ = a_session(limit_s=0.5)

    with session, pytest.raises(requests.RequestException, match=r"was not complete within 0\.5 s"):
        session.get(f"{server.url}/page")


def test_a_server_that_does_not_answer_is_left_at_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        session, _ = a_session(limit_s=0.5)

        with session, pytest.raises(requests.RequestException):
            session.get(f"http://127.0.0.1:{silent.getsockname()[1]}/page")


def test_too_large_an_answer_is_an_error_and_not_retried(server: AlpacaRestServer) -> None:
    server.next_answers = [Answer(raw=b"1" * 3_000_000)]
    session, _ = a_session(max_bytes=1 << 20)

    with session, pytest.raises(requests.RequestException, match="more than 1 MiB"):
        session.get(f"{server.url}/page")

    assert len(server.asked) == 1


def test_an_answer_that_is_cut_off_is_retried(server: AlpacaRestServer) -> None:
    server.next_answers = [Answer(raw=b"{", headers={"Content-Length": "100", "Connection": "close"})]
    session, _ = a_session()

    with session:
        answer = session.get(f"{server.url}/page")

    assert answer.json() == {"number": 1}


def test_proxies_and_credentials_of_the_environment_are_not_used(
    server: AlpacaRestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    session, _ = a_session()

    with session:
        assert session.get(f"{server.url}/page").status_code == 200
