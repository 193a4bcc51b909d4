"""Kinds of feeds and brokers: one line each in desk/config/kinds.py, and no other place names a kind."""

import ast
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec
import pytest
from websockets.sync.server import ServerConnection, serve

from desk.config import Plan, plan_notes
from desk.config.feed_plan import FeedPlan
from desk.config.kinds import BROKER_KINDS, FEED_KINDS, FeedKind
from desk.config.redaction import SecretFilter
from desk.feeds.frames import frames_of
from desk.model.errors import CredentialsError
from desk.model.feed_health import FeedHealth
from desk.model.feed_position import FeedPosition
from desk.model.units import SECOND_NS
from desk.process.clock import SystemClock
from desk.venues.api_keys import api_keys
from desk.venues.feed_factory import LiveFactory, ReplayFactory
from desk.venues.registry import feed_factory, order_venue
from desk.wiring.markets import market_feed, market_source
from desk.wiring.plan_session import derive_session

ROOT = Path(__file__).resolve().parents[3]
LIVE = [name for name, kind in FEED_KINDS.items() if kind.is_live]
DEADLINE_S = 30.0


def a_plan(kind: str, url: str = "") -> Plan:
    feed = {"kind": kind, "symbols": ["A"]} | ({"url": url} if url else {})
    feed |= {"path": "rows.parquet"} if kind == "tape" else {}
    if "key_env" in FEED_KINDS[kind].keys:
        feed |= {"key_env": "SOME_API_KEY", "headers": {"X-API-Key": "{key}"}}
    mode = "paper" if FEED_KINDS[kind].is_live else "replay"
    session = {"name": "day", "mode": mode, "calendar": "24/7" if mode == "paper" else "XNYS"}
    return Plan.model_validate({"session": session, "feed": feed})


@pytest.mark.parametrize("kind", FEED_KINDS)
def test_the_class_that_a_line_names_makes_feeds_of_its_kind(kind: str) -> None:
    factory = feed_factory(a_plan(kind, "wss://stream.example/v2" if FEED_KINDS[kind].is_live else ""))

    assert isinstance(factory, LiveFactory if FEED_KINDS[kind].is_live else ReplayFactory)


@pytest.mark.parametrize("kind", BROKER_KINDS)
def test_the_class_that_a_line_names_takes_orders(kind: str) -> None:
    venue = order_venue(Plan.model_validate({"session": {"name": "day"}, "broker": {"kind": kind}}))

    assert venue.kinds
    assert callable(venue.submit)
    assert callable(venue.cancel)


@pytest.mark.parametrize("kind", FEED_KINDS)
def test_options_of_a_kind_are_keys_of_the_feed(kind: str) -> None:
    assert FEED_KINDS[kind].keys <= set(FeedPlan.model_fields)


@pytest.mark.parametrize("kind", LIVE)
def test_credentials_of_a_kind_are_read_and_hidden_in_logs(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {name: f"hidden-{name}" for name in a_plan(kind, "wss://stream.example/v2").feed.credentials}
    for name, value in values.items():
        monkeypatch.setenv(name, value)

    keys = api_keys(a_plan(kind, "wss://stream.example/v2"))

    assert [key.get_secret_value() for key in keys] == list(values.values())
    assert SecretFilter.of_environment().hide(" ".join(values.values())).split() == ["***"] * len(values)


@pytest.mark.parametrize("kind", LIVE)
def test_missing_credentials_are_named_except_for_a_venue_on_this_machine(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = a_plan(kind, "wss://stream.example/v2").feed.credentials
    for name in (*names, "RAYDESK_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(CredentialsError) as caught:
        api_keys(a_plan(kind, "wss://stream.example/v2"))

    assert all(name in caught.value.found for name in names)
    assert len(api_keys(a_plan(kind, "ws://127.0.0.1:9/v2"))) == len(names)


@pytest.mark.parametrize("kind", LIVE)
def test_a_live_feed_that_is_opened_at_a_position_continues_its_totals(kind: str) -> None:
    plan, clock = a_plan(kind, "ws://127.0.0.1:9/v2"), SystemClock()
    session = derive_session(plan, None, clock)
    health = FeedHealth(subscribed=True, up=True, outages=2, reconnects=3)
    position = FeedPosition(
        session.start_ns + 5 * SECOND_NS,
        {"trades": 7, "quotes": 3, "notices": 0},
        {"trades": {"price": 1}, "quotes": {}, "notices": {}},
        {"trades": 2, "quotes": 0, "notices": 0},
        ["row 7"],
        health,
    )

    feed = market_feed(plan, session, None, clock, epoch=2, resume=position)

    assert feed.position() == msgspec.structs.replace(position, health=msgspec.structs.replace(health, up=False))


def test_the_side_of_the_broker_loads_nothing_of_a_feed() -> None:
    feed_code = {"websockets", "pyarrow", "desk.feeds.live.socket_feed"}
    code = f"import sys, desk.wiring.broker_factory; print({feed_code} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)

    assert done.stdout == "set()\n"


def comparisons(path: Path) -> Iterator[ast.Constant]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Compare) and any(
            isinstance(part, ast.Attribute) and part.attr == "kind" for part in [node.left, *node.comparators]
        ):
            yield from (part for part in ast.walk(node) if isinstance(part, ast.Constant))


def test_no_module_asks_for_a_kind_of_feed_or_broker_by_name() -> None:
    kinds = {*FEED_KINDS, *BROKER_KINDS}
    places = [
        f"{path.relative_to(ROOT)}:{found.lineno}"
        for folder in ("desk", "actors", "console", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for found in comparisons(path)
        if found.value in kinds
    ]

    assert places == []


# A venue that the desk does not have


class TickerServer:
    """Answers a subscription, then sends trades until the client goes."""

    def __enter__(self) -> Self:
        self._server = serve(self._speak, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/stream"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    @staticmethod
    def _speak(connection: ServerConnection) -> None:
        symbols = msgspec.json.decode(connection.recv())["subscribe"]
        trade = {"type": "trade", "symbol": symbols[0], "price": 10.0, "size": 100.0, "time_ns": time.time_ns()}
        for message in ({"type": "subscribed", "symbols": symbols}, trade | {"price": -1.0}, trade):
            connection.send(msgspec.json.encode(message).decode())
        for _ in connection:
            pass


@pytest.fixture
def ticker(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in the registry."""
    monkeypatch.setitem(
        FEED_KINDS, "ticker", FeedKind("ticker_venue:TickerFactory", frozenset({"url", "allow_plain"}), is_live=True)
    )


@pytest.mark.usefixtures("ticker")
def test_a_venue_is_added_by_its_own_module_and_one_line() -> None:
    with TickerServer() as server:
        plan, clock = a_plan("ticker", server.url), SystemClock()
        session = derive_session(plan, market_source(plan), clock)
        feed = market_feed(plan, session, None, clock)
        feed.subscribe(["A"])
        frames, until_s = frames_of(feed, feed._clock), time.monotonic() + DEADLINE_S

        ticks = next(frame.ticks for frame in frames if frame.ticks or time.monotonic() > until_s)
        frames.close()

    assert [(tick.symbol, tick.ordinal) for tick in ticks] == [("A", 1)]
    assert feed.counts.received == {"trades": 2, "quotes": 0, "notices": 0}
    assert feed.counts.rejected["trades"] == {"message": 1}


@pytest.mark.usefixtures("ticker")
def test_a_plan_for_an_added_venue_is_checked_by_its_line() -> None:
    with pytest.raises(ValueError, match='no `speed`: it is an option of kind = "tape" or "synthetic"'):
        Plan.model_validate({"session": {"name": "x", "mode": "paper"}, "feed": {"kind": "ticker", "speed": 2.0}})
    with pytest.raises(ValueError, match="with a live feed"):
        Plan.model_validate({"session": {"name": "x"}, "feed": {"kind": "ticker"}})

    with pytest.raises(ValueError, match=r'a scanner with feed\.kind = "ticker", whose venue gives no snapshots'):
        Plan.model_validate(
            {"session": {"name": "x", "mode": "paper"}, "feed": {"kind": "ticker"}, "scanners": [{"use": "m:C"}]}
        )

    plan = Plan.model_validate(
        {"session": {"name": "x", "mode": "paper"}, "feed": {"kind": "ticker"}, "flow": {"write_timeout_ms": 5}}
    )

    assert plan_notes(plan, plan) == []
