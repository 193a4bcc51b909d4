"""[feed] name: the vendor's stream, its delay and what it delivers."""

from typing import Any

import pytest

from desk.config import FeedPlan, Plan, Settings, override, plan_notes
from desk.config.kinds import FEED_KINDS
from desk.venues.feed_factory import LiveFactory
from desk.venues.registry import feed_factory


def a_plan(feed: dict[str, Any], **session: Any) -> Plan:
    return Plan.model_validate({"session": {"name": "x", "mode": "paper"} | session, "feed": feed})


def url_of(plan: Plan) -> str:
    factory = feed_factory(plan)
    assert isinstance(factory, LiveFactory)
    return factory.url(plan)


@pytest.mark.parametrize(
    ("feed", "name", "delay_s"),
    [
        ({"kind": "alpaca"}, "iex", 0.0),
        ({"kind": "alpaca", "name": "delayed_sip"}, "delayed_sip", 900.0),
        ({"kind": "alpaca", "name": "delayed_sip", "delay_s": 60.0}, "delayed_sip", 60.0),
        ({"kind": "alpaca", "url": "ws://127.0.0.1:7788/v2/sip"}, "sip", 0.0),
        ({"kind": "alpaca", "url": "wss://relay.example/v2/delayed_sip"}, "delayed_sip", 900.0),
        ({"kind": "alpaca", "url": "wss://relay.example/v9"}, "", 0.0),
        ({"kind": "alpaca", "name": "sip", "url": "wss://relay.example/v9"}, "sip", 0.0),
        ({"kind": "alpaca_crypto"}, "us", 0.0),
        ({"kind": "polygon"}, "realtime", 0.0),
        ({"kind": "polygon", "url": "wss://delayed.polygon.io/stocks"}, "polygon_delayed", 900.0),
        ({"kind": "polygon", "url": "ws://127.0.0.1:1/stocks"}, "", 0.0),
        ({"kind": "synthetic"}, "", 0.0),
    ],
)
def test_the_stream_is_known_by_its_name_or_its_url(feed: dict[str, Any], name: str, delay_s: float) -> None:
    plan = FeedPlan.model_validate(feed)

    assert (plan.feed_name, plan.delay_s) == (name, delay_s)


@pytest.mark.parametrize("kind", [name for name, kind in FEED_KINDS.items() if kind.names])
def test_each_name_has_its_address_and_says_what_it_delivers(kind: str) -> None:
    for name, stream in FEED_KINDS[kind].names.items():
        plan = a_plan({"kind": kind, "name": name})
        assert url_of(plan) == stream.url
        assert stream.about in plan.feed.entitlement
        assert ("late" in plan.feed.entitlement) == (stream.delay_s > 0)
        assert FeedPlan.model_validate({"kind": kind, "url": stream.url}).feed_name == name


def test_an_unknown_stream_is_not_described() -> None:
    assert "not known" in FeedPlan.model_validate({"kind": "alpaca", "url": "wss://relay.example/v9"}).entitlement
    assert FeedPlan.model_validate({"kind": "synthetic"}).entitlement == ""


@pytest.mark.parametrize(
    ("feed", "found"),
    [
        ({"kind": "alpaca", "name": "nasdaq"}, "nasdaq"),
        ({"kind": "alpaca", "name": "iex", "url": "wss://relay.example/v2/sip"}, 'with the url of "sip"'),
        ({"kind": "synthetic", "name": "iex"}, "it is an option of"),
        ({"kind": "alpaca", "channels": ["trades", "orderbooks"]}, "orderbooks"),
        ({"kind": "alpaca_crypto", "channels": ["quotes", "orderbooks"]}, "both give quotes"),
    ],
)
def test_a_stream_that_there_is_not_is_refused(feed: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        FeedPlan.model_validate(feed)


def test_crypto_trades_around_the_clock_unless_the_plan_says_otherwise() -> None:
    assert a_plan({"kind": "alpaca_crypto"}).session.calendar == "24/7"
    assert a_plan({"kind": "alpaca_crypto"}, calendar="XNYS").session.calendar == "XNYS"
    assert a_plan({"kind": "alpaca"}).session.calendar == "XNYS"


def test_a_json_feed_has_trades_only_where_its_volume_makes_them() -> None:
    feed = {"kind": "json", "url": "wss://stream.example/v1"}
    fields = {"volume": "volume", "volume_is": "cumulative"}

    assert not FeedPlan.model_validate(feed).has_trades
    assert not FeedPlan.model_validate(feed | {"map": fields}).has_trades
    assert FeedPlan.model_validate(feed | {"map": fields | {"price": "last"}}).has_trades
    assert FeedPlan.model_validate({"kind": "polygon"}).has_trades


def test_symbols_with_a_slash_are_symbols() -> None:
    assert a_plan({"kind": "alpaca_crypto", "symbols": ["BTC/USD"]}).feed.symbols == ("BTC/USD",)


def with_connector(written: Plan, connector: str) -> Plan:
    return override(written, Settings.model_validate({"data_connector": connector}), None)


def test_data_connector_takes_over_nothing_that_belongs_to_another_vendor() -> None:
    written = a_plan(
        {"kind": "alpaca", "name": "delayed_sip", "symbols": ["SPY"], "channels": ["trades"], "allow_plain": True}
    )

    plan = with_connector(written, "polygon")

    assert (plan.feed.kind, plan.feed.feed_name, plan.feed.delay_s) == ("polygon", "realtime", 0.0)
    assert (plan.feed.symbols, plan.feed.channels, plan.feed.allow_plain) == (("SPY",), ("trades",), True)
    assert '[feed] name has no effect: DATA_CONNECTOR makes the feed "polygon"' in plan_notes(written, plan)


def test_data_connector_brings_the_calendar_of_its_market() -> None:
    written = a_plan({"kind": "alpaca", "symbols": ["BTC/USD"]})

    assert with_connector(written, "alpaca_crypto").session.calendar == "24/7"
