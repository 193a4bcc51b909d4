"""Any error while connecting is a failed attempt: it is reported, and retried after a wait."""

import asyncio

import pytest
from alpaca_feeds import ManualClock, make_feed, until
from alpaca_server import AlpacaServer, Client

from desk.feeds.frames import frames_of
from desk.model.units import MS_NS


class Address:
    """Where a feed shall connect to."""

    def __init__(self, url: str) -> None:
        self.url = url


async def greet_nobody(client: Client) -> None:
    await client.stay()


@pytest.mark.parametrize(
    "host",
    ["stream..data.example", ".example", "a" * 64 + ".example", "\u2024.example"],
    ids=["two dots", "a dot first", "a label too long", "a dot like letter"],
)
def test_a_name_that_cannot_be_looked_up_is_a_failed_attempt(host: str) -> None:
    feed = make_feed(Address(f"wss://{host}/v2/iex"), ManualClock())  # type: ignore[arg-type]  # only its address is asked for
    frames = frames_of(feed, feed._clock)

    until(frames, lambda _: bool(feed.connection.last_end))
    frames.close()

    assert feed.connection.last_end.startswith("no connection: ")
    (note,) = feed.take_notes()
    assert note.level == "error"
    assert feed.health.failures == 1
    assert feed.gaps[0].why == feed.connection.last_end


def test_failed_attempts_wait_as_lost_connections_do() -> None:
    clock = ManualClock()
    feed = make_feed(Address("wss://stream..data.example/v2/iex"), clock)  # type: ignore[arg-type]  # as above
    frames = frames_of(feed, feed._clock)

    for _ in range(100):
        next(frames)
        clock.now_ns += 10 * MS_NS
    frames.close()

    assert 1 < feed.health.failures <= 8


def test_a_server_without_tls_is_a_failed_attempt_and_keeps_no_feed_from_closing() -> None:
    with AlpacaServer(greet_nobody) as server:
        server.url = server.url.replace("ws://", "wss://")
        feed = make_feed(server, ManualClock())
        frames = frames_of(feed, feed._clock)
        until(frames, lambda _: bool(feed.connection.last_end))

        frames.close()

    assert "no connection" in feed.connection.last_end
    assert feed.health.failures == 1


def test_a_certificate_store_that_cannot_be_read_is_a_failed_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no certificates")

    monkeypatch.setattr("ssl.create_default_context", fail)
    feed = make_feed(Address("wss://127.0.0.1:9/v2/iex"), ManualClock())  # type: ignore[arg-type]  # as above
    frames = frames_of(feed, feed._clock)

    until(frames, lambda _: bool(feed.connection.last_end))
    frames.close()

    assert feed.connection.last_end == "no connection: no certificates"


def test_no_failed_attempt_is_left_to_the_event_loop(caplog: pytest.LogCaptureFixture) -> None:
    test_a_name_that_cannot_be_looked_up_is_a_failed_attempt("stream..data.example")

    assert [record for record in caplog.records if record.name == asyncio.__name__] == []


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("https_proxy", "wss://127.0.0.1:9/x"),
        ("http_proxy", "ws://127.0.0.1:9/x"),
        ("wss_proxy", "wss://127.0.0.1:9/x"),
    ],
)
def test_a_proxy_of_the_environment_is_named_as_unused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    for other in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.upper(), raising=False)
    monkeypatch.setenv(name, "http://user:word@proxy.example:3128")
    feed = make_feed(Address(url), ManualClock())  # type: ignore[arg-type]  # as above
    frames = frames_of(feed, feed._clock)

    until(frames, lambda _: bool(feed.connection.last_end))
    frames.close()

    assert "proxy.example:3128, which is not used: the desk connects directly to 127.0.0.1" in feed.connection.last_end
    assert "word" not in feed.connection.last_end


def test_a_proxy_that_does_not_apply_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    feed = make_feed(Address("ws://127.0.0.1:9/x"), ManualClock())  # type: ignore[arg-type]  # as above
    frames = frames_of(feed, feed._clock)

    until(frames, lambda _: bool(feed.connection.last_end))
    frames.close()

    assert "proxy" not in feed.connection.last_end
