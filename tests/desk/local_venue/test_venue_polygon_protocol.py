"""One connection of Polygon's stream without a socket."""

import json
from typing import Any

import pytest

from desk.local_venue.polygon.polygon_protocol import PolygonServerProtocol
from desk.local_venue.venue_settings import AccessRules


def fresh(free: bool = True, key: str | None = "k") -> PolygonServerProtocol:
    return PolygonServerProtocol(AccessRules(key=key, secret="never asked"), "/stocks", lambda: free)


def said(protocol: PolygonServerProtocol, **request: Any) -> tuple[list[tuple[str, str]], bool]:
    reply = protocol.receive(json.dumps(request))
    return [(message["status"], message["message"]) for message in json.loads(reply.data or "[]")], reply.ends


def entered() -> PolygonServerProtocol:
    protocol = fresh()
    said(protocol, action="auth", params="k")
    return protocol


def test_greeting_authentication_and_one_answer_for_each_topic() -> None:
    protocol = fresh()

    assert json.loads(protocol.greeting().data) == [
        {"ev": "status", "status": "connected", "message": "Connected Successfully"}
    ]
    assert said(protocol, action="auth", params="k") == ([("auth_success", "authenticated")], False)
    assert said(protocol, action="subscribe", params="T.AAPL, Q.*,AM.AAPL") == (
        [
            ("success", "subscribed to: T.AAPL"),
            ("success", "subscribed to: Q.*"),
            ("success", "subscribed to: AM.AAPL"),
        ],
        False,
    )
    assert protocol.subscription.symbols("trades") == ("AAPL",)
    assert said(protocol, action="unsubscribe", params="T.AAPL")[0] == [("success", "unsubscribed to: T.AAPL")]
    assert protocol.subscription.symbols("trades") == ()
    assert protocol.subscription.symbols("bars") == ("AAPL",)


def test_wrong_keys_and_a_taken_place_end_the_connection() -> None:
    assert said(fresh(), action="auth", params="wrong") == ([("auth_failed", "authentication failed")], True)
    status, ends = said(fresh(free=False), action="auth", params="k")
    assert (status[0][0], ends) == ("max_connections", True)
    assert said(fresh(key=None), action="auth", params="any")[0][0][0] == "auth_success"


@pytest.mark.parametrize(
    "message",
    ["", "[]", "{", '{"action": []}', '{"action": "subscribe"}', '{"action": "subscribe", "params": ["T.A"]}', b"\xff"],
)
def test_messages_that_cannot_be_read_are_errors(message: str | bytes) -> None:
    reply = entered().receive(message)

    assert (json.loads(reply.data)[0]["status"], reply.ends) == ("error", False)


def test_topics_need_authentication_and_a_known_channel() -> None:
    assert said(fresh(), action="subscribe", params="T.A")[0][0][0] == "auth_required"
    assert said(entered(), action="subscribe", params="X.A,T.A,T")[0] == [
        ("error", "invalid topic: X.A"), ("success", "subscribed to: T.A"), ("error", "invalid topic: T"),
    ]  # fmt: skip


def test_topics_that_a_fault_does_not_grant_are_not_answered() -> None:
    protocol = entered()
    protocol.grant = lambda asked: {"trades": [symbol for symbol in asked["trades"] if symbol != "B"]}

    assert said(protocol, action="subscribe", params="T.A,T.B")[0] == [("success", "subscribed to: T.A")]
    assert said(protocol, action="subscribe", params="T.B") == ([], False)


def test_faults_of_the_server_have_a_status() -> None:
    protocol = entered()

    replies = {code: protocol.error(code) for code in (404, 407, 500)}

    assert [json.loads(reply.data)[0]["status"] for reply in replies.values()] == [
        "auth_timeout", "slow_consumer", "error",
    ]  # fmt: skip
    assert [reply.ends for reply in replies.values()] == [True, True, False]
