"""The connections that a misbehaving venue sees, on real sockets and a manual clock."""

import socketserver
import threading
from collections.abc import Callable
from typing import Any

import pytest
from alpaca_feeds import START_NS, ManualClock, make_feed
from alpaca_server import NS, AlpacaServer, Client, Script, trade
from hypothesis import given, settings
from hypothesis import strategies as st
from test_connection_attempts import most_within

from desk.feeds.frames import frames_of

STEP_NS = NS // 10
STEPS = 900
SLOW_STEPS = 3000


async def close_at_once(client: Client) -> None:
    await client.websocket.close(1001)


async def close_after_greeting(client: Client) -> None:
    await client.send({"T": "success", "msg": "connected"})
    await client.websocket.close(1001)


async def close_after_authentication(client: Client) -> None:
    await client.greet()
    await client.websocket.close(1012)


async def close_after_acknowledgement(client: Client) -> None:
    await client.greet()
    await client.acknowledge()
    await client.websocket.close(1001)


async def close_after_a_tick(client: Client) -> None:
    await client.greet()
    await client.acknowledge()
    await client.send(trade("A", START_NS))
    await client.websocket.close(1012)


async def say_slow(client: Client) -> None:
    await client.greet()
    await client.acknowledge()
    await client.send({"T": "error", "code": 407, "msg": "slow client"})
    await client.stay()


async def say_connection_limit(client: Client) -> None:
    await client.send({"T": "success", "msg": "connected"})
    await client.receive()
    await client.send({"T": "error", "code": 406, "msg": "connection limit exceeded"})
    await client.stay()


async def reset(client: Client) -> None:
    client.websocket.transport.abort()


async def garble(client: Client) -> None:
    client.websocket.transport.write(b"\xff\xff\xff\xff no frame of a websocket")
    await client.stay()


BAD: list[Script] = [
    close_at_once,
    close_after_greeting,
    close_after_authentication,
    close_after_acknowledgement,
    close_after_a_tick,
    say_slow,
    say_connection_limit,
    reset,
    garble,
]


def times_of_attempts(address: Any, clock: ManualClock, seen: Callable[[], int] = lambda: 2) -> list[int]:
    """Play STEPS steps of hand-moved time against what listens there; when each connection was tried.

    Further, slower steps follow until the server has `seen` two connections, however slow this machine is. The times
    are those at which the feed begins: a server in another thread may look at this clock much later.
    """
    feed = make_feed(address, clock)
    clock.patience_s = 0.0
    began_ns: list[int] = []
    attempts = feed._socket._attempts._began_ns
    frames = frames_of(feed, feed._clock)
    for step in range(STEPS + SLOW_STEPS):
        if step >= STEPS:
            if seen() > 1:
                break
            clock.patience_s = 0.01
        next(frames)
        if attempts and attempts[-1] not in began_ns[-1:]:
            began_ns.append(attempts[-1])
        clock.now_ns += STEP_NS
    frames.close()
    return began_ns


def keeps_the_limits(times_ns: list[int]) -> bool:
    return most_within(times_ns, 15 * NS) <= 8 and most_within(times_ns, 60 * NS) <= 12


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(BAD), min_size=1, max_size=6))
def test_a_venue_that_ends_its_connections_is_not_asked_more_often_than_the_limits_say(scripts: list[Script]) -> None:
    with AlpacaServer(*scripts) as server:
        began_ns = times_of_attempts(server, ManualClock(), lambda: server.connections)

    assert 1 < server.connections <= len(began_ns)
    assert keeps_the_limits(began_ns)


def test_a_venue_that_says_406_sees_14_connections_at_most_in_the_90_s_of_a_half_open_one() -> None:
    with AlpacaServer(say_connection_limit) as server:
        began_ns = times_of_attempts(server, ManualClock(), lambda: server.connections)

    assert 1 < server.connections <= len(began_ns)
    assert most_within(began_ns, 90 * NS) <= 14


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_an_http_error_that_may_pass_is_retried_within_the_limits(status: int) -> None:
    with AlpacaServer(close_at_once, statuses={"/busy": status}) as server:
        server.url = server.url.replace("/v2/test", "/busy")
        began_ns = times_of_attempts(server, ManualClock())

    assert len(began_ns) > 1
    assert keeps_the_limits(began_ns)


def test_a_server_that_accepts_and_closes_is_retried_within_the_limits() -> None:
    accepted: list[bool] = []

    class Closing(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            accepted.append(True)

    class Listening:
        url = ""

    with socketserver.TCPServer(("127.0.0.1", 0), Closing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        Listening.url = f"ws://127.0.0.1:{server.server_address[1]}/v2/test"
        began_ns = times_of_attempts(Listening, ManualClock(), lambda: len(accepted))
        server.shutdown()
        thread.join()

    assert 1 < len(accepted) <= len(began_ns)
    assert keeps_the_limits(began_ns)


def test_a_port_where_nothing_listens_is_tried_within_the_limits() -> None:
    with AlpacaServer(close_at_once) as server:
        pass

    began_ns = times_of_attempts(server, ManualClock())

    assert len(began_ns) > 8
    assert keeps_the_limits(began_ns)
