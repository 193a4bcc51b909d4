"""Keys, rate limit and latency of the REST endpoints over real sockets, and the process that answers."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from venue_parts import deadlined, market, page, reader, venue

from desk.local_venue.rest.rate_window import RateWindow
from desk.local_venue.rest.rest_door import RestSettings
from desk.local_venue.rest.rest_hosts import host_of, is_rest
from desk.local_venue.server import VenueServer
from desk.local_venue.venue_settings import AccessRules, PlaySettings
from desk.model.errors import PlanError

KEYS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}


async def ask(
    server: VenueServer, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}", headers=KEYS if headers is None else headers, method=method
    )

    def get() -> tuple[int, dict[str, str], Any]:
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, dict(answer.headers), json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), json.load(error)

    return await asyncio.to_thread(get)


def test_a_key_has_its_requests_of_a_minute_at_each_host_and_the_headers_say_so() -> None:
    async def scenario() -> None:
        async with venue(rest=RestSettings(per_minute=2)) as server:
            answers = [await ask(server, "/v2/clock") for _ in range(3)]
            data = await ask(server, "/v2/stocks/snapshots?symbols=A")
            other = await ask(server, "/v2/clock", {**KEYS, "APCA-API-KEY-ID": "other"})
            stats = await page(server, "/stats")

        assert [status for status, _, _ in answers] == [200, 200, 429]
        assert [headers["X-RateLimit-Remaining"] for _, headers, _ in answers] == ["1", "0", "0"]
        assert {headers["X-RateLimit-Limit"] for _, headers, _ in answers} == {"2"}
        assert 0 < int(answers[2][1]["X-RateLimit-Reset"]) - time.time() <= 61
        assert answers[2][2] == {"code": 42910000, "message": "rate limit exceeded"}
        assert (data[0], other[0]) == (200, 200)
        assert (stats["requests"], stats["limited"]) == (5, 1)

    deadlined(scenario())


def test_a_window_is_a_minute_from_its_first_request() -> None:
    now_s = [100.0]
    window = RateWindow(1, lambda: now_s[0])

    taken = [window.take()]
    for now_s[0] in (159.9, 160.0, 160.1):
        taken.append(window.take())

    assert taken == [True, False, True, False]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v2/clock", {}, 401),
        ("/v2/clock", {**KEYS, "APCA-API-KEY-ID": "wrong"}, 401),
        ("/v2/clock", {**KEYS, "APCA-API-SECRET-KEY": "wrong"}, 401),
        ("/v2/clock", {"Authorization": "Basic azpz"}, 200),
        ("/v2/clock", {"Authorization": "Basic !"}, 401),
        ("/v3/trades/A", {}, 401),
        ("/v3/trades/A", {"Authorization": "Bearer wrong"}, 401),
        ("/v3/trades/A", {"Authorization": "Bearer k"}, 200),
        ("/v3/trades/A?apiKey=k", {}, 200),
    ],
)
def test_keys_are_checked_as_on_the_stream(path: str, headers: dict[str, str], status: int) -> None:
    async def scenario() -> None:
        async with venue(rules=AccessRules(key="k", secret="s")) as server:
            assert (await ask(server, path, headers))[0] == status

    deadlined(scenario())


def test_other_methods_are_refused() -> None:
    async def scenario() -> None:
        async with venue() as server:
            assert (await ask(server, "/v2/orders", method="DELETE"))[0] == 405
            assert (await ask(server, "/v2/orders"))[0] == 404

    deadlined(scenario())


def test_latency_is_added_and_the_desks_own_clock_has_none() -> None:
    async def scenario() -> None:
        async with venue(rest=RestSettings(latency_s=0.3)) as server:
            started = time.monotonic()
            await ask(server, "/v2/clock", {})
            assert time.monotonic() - started >= 0.3
            assert (await page(server, "/clock"))["state"] == "waiting"

    deadlined(scenario())


def test_the_process_starts_with_the_first_request_and_a_dead_one_is_replaced() -> None:
    async def scenario() -> None:
        async with venue() as server:
            process = server._rest._process
            assert process._process is None
            assert (await ask(server, "/v2/clock"))[0] == 200
            first = process._process
            assert first is not None
            first.kill()
            broken = await ask(server, "/v2/clock")
            assert (broken[0], broken[2]["message"]) == (500, "the history's process ended")
            assert (await ask(server, "/v2/clock"))[0] == 200
            second = process._process
            assert second is not None
        assert (first.returncode, second.returncode) == (-9, -9)

    deadlined(scenario())


def test_a_request_that_is_given_up_does_not_disturb_the_next() -> None:
    async def scenario() -> None:
        async with venue() as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            lines = ("GET /v2/calendar HTTP/1.1", "Host: venue", *(f"{name}: {value}" for name, value in KEYS.items()))
            writer.write("\r\n".join((*lines, "", "")).encode())
            await writer.drain()
            writer.close()
            status, _, body = await ask(server, "/v2/clock")
            assert (status, {*body}) == (200, {"timestamp", "is_open", "next_open", "next_close"})

    deadlined(scenario())


def test_history_grows_with_the_play_and_does_not_stop_the_stream() -> None:
    source = market(events_per_s=300.0)

    async def scenario() -> None:
        async with venue(source, PlaySettings(speed=3.0)) as server, reader(server) as client:
            names = ",".join(source.symbols)
            path = f"/v2/stocks/trades?symbols={names}&start=2026-01-05&limit=10000"
            before = await ask(server, path)
            await client.ask({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
            heard = len(await client.events(100))
            during = await ask(server, path)
            await client.events(sum(len(block) for block in source.blocks()) - heard)
            after = await ask(server, path)

        counts = [sum(map(len, body["trades"].values())) for _, _, body in (before, during, after)]
        assert counts[0] == 0
        assert 0 < counts[1] < counts[2]

    deadlined(scenario())


def test_paths_belong_to_hosts() -> None:
    hosts = {path: host_of(path) for path in ("/v2/clock", "/v2/stocks/bars", "/v1/corporate-actions", "/v2/aggs/x")}

    assert [*hosts.values()] == ["trading", "data", "data", "polygon"]
    assert all(is_rest(path) for path in hosts)
    assert not any(is_rest(path) for path in ("/clock", "/stats", "/v2/iex", "/v2/clocks"))


@pytest.mark.parametrize("wrong", [{"per_minute": 0}, {"latency_s": -1.0}, {"latency_s": float("nan")}])
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="--rest-"):
        RestSettings(**wrong)
