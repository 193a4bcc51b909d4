import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.local_venue.server_protocol import ERRORS, ServerProtocol
from desk.local_venue.venue_settings import AccessRules

AUTH = {"action": "auth", "key": "k", "secret": "s"}


def stream(rules: AccessRules | None = None, admit: bool = True, binary: bool = False) -> ServerProtocol:
    return ServerProtocol(rules or AccessRules(), "/v2/iex", binary, lambda: admit)


def let_in(rules: AccessRules | None = None) -> ServerProtocol:
    protocol = stream(rules)
    ask(protocol, AUTH)
    return protocol


def ask(protocol: ServerProtocol, request: Any) -> dict[str, Any]:
    (answer,) = json.loads(protocol.receive(json.dumps(request)).data)
    return dict(answer)


def error(code: int) -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": ERRORS[code]}


def test_a_client_is_greeted_admitted_and_subscribed() -> None:
    protocol = stream()
    subscribe = {
        "action": "subscribe", "trades": ["IBM"], "quotes": ["SPY", "BAC"], "bars": ["*"], "dailyBars": ["AIG"],
        "statuses": ["*"],
    }  # fmt: skip

    assert json.loads(protocol.greeting().data) == [{"T": "success", "msg": "connected"}]
    assert ask(protocol, AUTH) == {"T": "success", "msg": "authenticated"}
    assert ask(protocol, subscribe) == {
        "T": "subscription", "trades": ["IBM"], "quotes": ["SPY", "BAC"], "bars": ["*"], "updatedBars": [],
        "dailyBars": ["AIG"], "statuses": ["*"], "lulds": [], "corrections": ["IBM"], "cancelErrors": ["IBM"],
    }  # fmt: skip


def test_the_recorded_conversation_is_answered_as_the_venue_did(shared_data: Path) -> None:
    lines = (shared_data / "alpaca-wire-frames.jsonl").read_text().splitlines()
    greeting, auth, welcome, subscribe, acknowledged = (json.loads(line)["frame"] for line in lines[:5])
    protocol = stream()

    answers = [json.loads(reply.data) for reply in (
        protocol.greeting(), protocol.receive(json.dumps(auth)), protocol.receive(json.dumps(subscribe))
    )]  # fmt: skip

    assert answers == [greeting, welcome, acknowledged]


def test_messagepack_is_answered_in_messagepack() -> None:
    reply = stream(binary=True).receive(msgspec.msgpack.encode(AUTH))

    assert msgspec.msgpack.decode(reply.data) == [{"T": "success", "msg": "authenticated"}]


def test_the_acknowledgement_is_the_whole_subscription() -> None:
    protocol = let_in()
    ask(protocol, {"action": "subscribe", "trades": ["SPY", "BAC"], "quotes": ["*"]})
    ask(protocol, {"action": "subscribe", "trades": ["SPY", "IBM"], "bars": ["AIG"]})

    answer = ask(protocol, {"action": "unsubscribe", "trades": ["BAC", "never"], "quotes": ["*"]})

    assert (answer["T"], answer["trades"], answer["quotes"], answer["bars"]) == (
        "subscription", ["SPY", "IBM"], [], ["AIG"],
    )  # fmt: skip
    assert answer["corrections"] == answer["cancelErrors"] == ["SPY", "IBM"]


@pytest.mark.parametrize(
    "message",
    [
        "{", "7", "[]", '{"action":"fly"}', '{"trades":["SPY"]}', b"\xff\xfe", '{"action":"auth","key":1,"secret":"s"}',
        '{"action":"auth"}', '{"action":["auth"]}',
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_a_syntax_error(message: str | bytes) -> None:
    reply = stream().receive(message)

    assert json.loads(reply.data) == [error(400)]
    assert not reply.ends


@pytest.mark.parametrize("binary", [False, True])
@given(noise=st.binary(max_size=60))
def test_noise_is_answered_by_an_error(noise: bytes, binary: bool) -> None:
    reply = stream(binary=binary).receive(noise)

    (answer,) = (msgspec.msgpack if binary else msgspec.json).decode(reply.data)
    assert answer in (error(400), error(401))


def test_bottomless_nesting_is_a_syntax_error() -> None:
    assert json.loads(stream().receive('{"a":' + "[" * 100_000).data) == [error(400)]


@pytest.mark.parametrize("request_", [{"trades": "SPY"}, {"trades": [1]}, {"quotes": None}, {"trades": {"SPY": 1}}, {}])
def test_a_subscription_of_anything_but_lists_of_symbols_is_a_syntax_error(request_: dict[str, Any]) -> None:
    assert ask(let_in(), {"action": "subscribe", **request_}) == error(400)


def test_subscribing_comes_after_authenticating() -> None:
    assert ask(stream(), {"action": "subscribe", "trades": ["SPY"]}) == error(401)


@pytest.mark.parametrize(
    "rules", [AccessRules(key="other"), AccessRules(secret="other"), AccessRules(key="k", secret="other")]
)
def test_wrong_credentials_end_the_connection(rules: AccessRules) -> None:
    reply = stream(rules).receive(json.dumps(AUTH))

    assert json.loads(reply.data) == [error(402)]
    assert reply.ends


def test_authenticating_twice_is_refused() -> None:
    assert ask(let_in(AccessRules(key="k", secret="s")), AUTH) == error(403)


def test_beyond_the_symbol_limit_nothing_changes() -> None:
    protocol = let_in(AccessRules(symbol_limit=3))
    ask(protocol, {"action": "subscribe", "trades": ["A", "B"], "bars": ["*"]})

    beyond = ask(protocol, {"action": "subscribe", "quotes": ["A", "B"]})
    everything = ask(protocol, {"action": "subscribe", "quotes": ["*"]})
    within = ask(protocol, {"action": "subscribe", "trades": ["A"], "quotes": ["A"]})

    assert beyond == everything == error(405)
    assert (within["trades"], within["quotes"]) == (["A", "B"], ["A"])


def test_a_full_endpoint_lets_nobody_in() -> None:
    reply = stream(admit=False).receive(json.dumps(AUTH))

    assert json.loads(reply.data) == [error(406)]
    assert reply.ends


def test_an_endpoint_that_the_account_may_not_use_is_an_insufficient_subscription() -> None:
    assert ask(stream(AccessRules(entitled=("/v2/test",))), AUTH) == error(409)


@pytest.mark.parametrize("channel", ["news", "orderbooks"])
def test_channels_of_other_feeds_cannot_be_subscribed(channel: str) -> None:
    assert ask(let_in(), {"action": "subscribe", "trades": ["SPY"], channel: ["*"]}) == error(410)
