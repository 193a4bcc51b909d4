import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from alpaca.common.enums import BaseURL
from alpaca_rest_server import AlpacaRestServer, Answer, alpaca_rest_server
from pydantic import SecretStr

from desk.config import Plan
from desk.model.errors import PlanError
from desk.venues.alpaca.rest.addresses import DATA, TRADING, RestAddresses, history_feed, rest_addresses, snapshot_feed
from desk.venues.alpaca.rest.clients import AlpacaClients, RestUnavailable
from desk.venues.alpaca.rest.connect import cache_of
from desk.venues.registry import feed_factory
from desk.venues.rest.request_budget import RequestClass

KEY, SECRET = "the-key-itself", "the-secret-itself"


def a_plan(**feed: Any) -> Plan:
    return Plan.model_validate({"session": {"name": "x", "mode": "paper"}, "feed": {"kind": "alpaca"} | feed})


def clients_of(server: AlpacaRestServer, kind: RequestClass = "history") -> AlpacaClients:
    return AlpacaClients(RestAddresses(server.url, server.url), SecretStr(KEY), SecretStr(SECRET), kind)


@pytest.fixture
def server() -> Iterator[AlpacaRestServer]:
    with alpaca_rest_server({"/v2/clock": lambda query: {"is_open": True}}) as running:
        yield running


@pytest.mark.parametrize(
    ("feed", "data", "trading"),
    [
        ({}, "https://data.alpaca.markets", "https://paper-api.alpaca.markets"),
        (
            {"url": "wss://stream.data.alpaca.markets/v2/sip"},
            "https://data.alpaca.markets",
            "https://paper-api.alpaca.markets",
        ),
        ({"url": "ws://127.0.0.1:7788/v2/sip"}, "http://127.0.0.1:7788", "http://127.0.0.1:7788"),
        ({"url": "ws://[::1]:7788/v2/sip"}, "http://[::1]:7788", "http://[::1]:7788"),
        ({"rest_url": "https://elsewhere.example/"}, None, None),
        (
            {"url": "ws://127.0.0.1:7788/v2/sip", "rest_url": "http://127.0.0.1:9"},
            "http://127.0.0.1:9",
            "http://127.0.0.1:9",
        ),
        (
            {"rest_url": "http://elsewhere.example", "allow_plain": True},
            "http://elsewhere.example",
            "http://elsewhere.example",
        ),
    ],
)
def test_requests_go_to_the_plans_server_else_to_that_of_the_stream(
    feed: dict[str, Any], data: str | None, trading: str | None
) -> None:
    if data is None:
        with pytest.raises(ValueError, match="rest_url"):
            a_plan(**feed)  # a path would be cut off silently
        return

    assert rest_addresses(a_plan(**feed)) == (data, trading)


def test_the_addresses_are_those_of_alpaca_py() -> None:
    assert (BaseURL.DATA.value, BaseURL.TRADING_PAPER.value) == (DATA, TRADING)


def test_keys_do_not_go_unencrypted_to_another_machine() -> None:
    with pytest.raises(ValueError, match="unencrypted"):
        a_plan(rest_url="http://elsewhere.example")

    unchecked = a_plan().model_copy(
        update={"feed": a_plan().feed.model_copy(update={"rest_url": "http://elsewhere.example"})}
    )
    with pytest.raises(PlanError, match="unencrypted"):
        rest_addresses(unchecked)


@pytest.mark.parametrize(
    ("url", "snapshots", "history"),
    [
        ("wss://stream.data.alpaca.markets/v2/iex", "iex", "iex"),
        ("wss://stream.data.alpaca.markets/v2/sip", "sip", "sip"),
        ("wss://stream.data.alpaca.markets/v2/delayed_sip", "delayed_sip", "sip"),
        ("wss://stream.data.alpaca.markets/v2/test", "iex", "iex"),
    ],
)
def test_history_and_snapshots_are_of_the_streams_own_feed(url: str, snapshots: str, history: str) -> None:
    assert (snapshot_feed(url), history_feed(url)) == (snapshots, history)


def test_alpaca_py_sends_the_keys_once_without_a_retry_of_its_own(server: AlpacaRestServer) -> None:
    server.next_answers = [Answer(422, {"message": "no such thing"})]
    clients = clients_of(server)

    with pytest.raises(RestUnavailable, match="HTTP 422: no such thing"):
        clients.get(clients.trading, "/clock", {}, dict[str, bool])
    found = clients.get(clients.trading, "/clock", {"a": "1"}, dict[str, bool])

    assert found == {"is_open": True}
    assert [asked.path for asked in server.asked] == ["/v2/clock"] * 2
    assert server.asked[0].headers["APCA-API-KEY-ID"] == KEY
    assert server.asked[0].headers["APCA-API-SECRET-KEY"] == SECRET


def test_an_order_that_is_refused_is_not_repeated(server: AlpacaRestServer) -> None:
    server.next_answers = [Answer(504)]
    clients = clients_of(server, "orders")

    with pytest.raises(RestUnavailable, match="HTTP 504") as caught:
        clients.get(clients.trading, "/clock", {}, dict[str, bool])

    assert caught.value.status == 504
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(403, {"message": f"{KEY} may not read {SECRET}"}), r"HTTP 403: \*\*\* may not read \*\*\*"),
        (Answer(401, raw=b"<html>\x1b[31mno</html>"), r"HTTP 401: <html>\\x1b\[31mno</html>"),
        (Answer(raw=b"<html>"), "an answer that is no JSON"),
        (Answer(raw=b""), "a malformed answer"),
        (Answer(body=[1, 2]), "a malformed answer: Expected `object`"),
        (Answer(raw=b"[" * 200_000), "malformed answer|no JSON"),
    ],
)
def test_what_is_no_answer_is_named_on_one_line_without_a_key(
    server: AlpacaRestServer, answer: Answer, why: str
) -> None:
    server.next_answers = [answer]
    clients = clients_of(server)

    with pytest.raises(RestUnavailable, match=why) as caught:
        clients.get(clients.trading, "/clock", {}, dict[str, bool])

    text = str(caught.value)
    assert KEY not in text
    assert SECRET not in text
    assert text.isprintable()


def test_no_key_is_logged_by_any_library(server: AlpacaRestServer, caplog: pytest.LogCaptureFixture) -> None:
    clients = clients_of(server)

    with caplog.at_level(logging.DEBUG):
        clients.get(clients.trading, "/clock", {}, dict[str, bool])

    assert "GET /v2/clock" in caplog.text  # urllib3 does log
    assert KEY not in caplog.text
    assert SECRET not in caplog.text
    assert KEY not in repr(vars(clients.trading).get("_session"))


def test_the_factory_of_the_feed_gives_history_and_market_without_a_request() -> None:
    plan = a_plan(url="ws://127.0.0.1:9/v2/sip", scanned="active")
    factory: Any = feed_factory(plan)
    keys = [SecretStr(KEY), SecretStr(SECRET)]

    assert factory.history(plan, keys).place == "alpaca sip history"
    assert factory.market(plan, keys, date(2026, 1, 5)).place == "alpaca sip snapshots"


def test_only_what_a_server_elsewhere_gives_is_cached(cache_dir: Path) -> None:
    here, there = (rest_addresses(a_plan(**feed)) for feed in ({"url": "ws://127.0.0.1:9/v2/sip"}, {}))

    assert cache_of(here) is None
    assert cache_of(there) == cache_dir / "alpaca" / "paper-api.alpaca.markets"
