"""Errors of the venue in mid-session that nothing heals: the session ends there in order, with its books closed."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from alpaca_server import NS, AlpacaServer, Client, Script, trade
from test_feed_reports import Run, now, received

from desk.files.connection_budget import connection_budget
from desk.inprocess.in_process_desk import InProcessDesk
from desk.model.errors import RunFailed


async def trade_and_leave(client: Client) -> None:
    """Send trades in one minute, and close the connection."""
    await client.greet()
    await client.acknowledge()
    await client.send(trade("A", now(), price=10.0), trade("A", now(), price=11.0, i=2))
    await client.websocket.close(1001)


def refuse_with(code: int) -> Script:
    async def refuse(client: Client) -> None:
        await client.send({"T": "success", "msg": "connected"})
        await client.receive()
        await client.send({"T": "error", "code": code, "msg": "no"})
        await client.stay()

    return refuse


@pytest.mark.parametrize("code", [402, 409])
def test_keys_that_are_refused_in_mid_session_end_it_with_closed_books_and_status_3(tmp_path: Path, code: int) -> None:
    with AlpacaServer(trade_and_leave, refuse_with(code)) as server:
        run = Run(tmp_path, server.url, lambda _: False)

    summary = run.summary
    assert run.status == 3
    assert (summary["ok"], summary["balanced"], summary.get("failed")) == (False, True, None)
    assert summary["feed"]["exit_status"] == 3
    assert f"the venue says {code} no" in summary["problems"][0]
    assert summary["ticks"]["trades"]["applied"] == summary["ticks"]["trades"]["received"] == 2
    (bar,) = pq.read_table(tmp_path / "run" / "bars.parquet").to_pylist()
    assert (bar["symbol"], bar["trades"], bar["close"]) == ("A", 2, 11.0)
    assert summary["gaps"][-1]["to_ns"] >= summary["gaps"][-1]["from_ns"]
    assert not (tmp_path / "run" / "resume.json").exists()
    assert server.connections == 2


def test_ticks_that_came_with_the_error_are_applied(tmp_path: Path) -> None:
    async def refuse_at_once(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.send(trade("A", now()), {"T": "error", "code": 409, "msg": "no"})
        await client.stay()

    with AlpacaServer(refuse_at_once) as server:
        run = Run(tmp_path, server.url, lambda _: False)

    assert run.status == 3
    assert run.summary["ticks"]["trades"]["applied"] == 1


def test_a_channel_without_which_the_plan_can_live_is_a_problem_by_name(tmp_path: Path) -> None:
    def done(house: InProcessDesk) -> bool:
        return received(house, 3) and bool(house.loop.live.health.dropped)

    with AlpacaServer(answering(without={"lulds"})) as server:
        run = Run(tmp_path, server.url, done, more='channels = ["trades", "quotes", "lulds"]')

    assert (run.status, run.summary["ok"]) == (0, False)
    (problem,) = run.summary["problems"]
    assert "the channel lulds was left out: the venue says 410" in problem


def test_symbols_beyond_the_accounts_limit_are_a_problem_by_name_and_the_others_trade(tmp_path: Path) -> None:
    def done(house: InProcessDesk) -> bool:
        return received(house, 3) and bool(house.loop.live.health.refused)

    with AlpacaServer(answering(limit=2)) as server:
        run = Run(tmp_path, server.url, done, symbols='["B", "A"]')

    assert (run.status, run.summary["ok"]) == (0, False)
    assert run.summary["feed"]["refused_symbols"] == ["A"]  # "B" comes first in the plan
    assert [problem.partition(": ")[2] for problem in run.summary["problems"]] == [
        "the venue does not grant the quotes of 1 symbol: A",
        "the venue does not grant the trades of 1 symbol: A",
    ]
    assert run.logged("ERROR", "405 symbol limit exceeded: no room for 1 symbol: A") < len(run.log)


def test_a_second_desk_of_the_same_key_and_endpoint_is_refused_with_the_reason(tmp_path: Path) -> None:
    with AlpacaServer(answering()) as server:
        other = connection_budget("local", server.url, 1, "the other desk")
        assert other is not None
        other.acquire(now())
        try:
            with pytest.raises(RunFailed, match="another desk of this machine uses the connection") as caught:
                Run(tmp_path, server.url, lambda _: False)
        finally:
            other.release()

    assert caught.value.exit_status == 1
    assert "desk 'the other desk', process" in str(caught.value)
    assert server.connections == 0


def test_a_venue_without_a_limit_of_connections_is_shared(tmp_path: Path) -> None:
    with AlpacaServer(answering()) as server:
        other = connection_budget("local", server.url, 1, "the other desk")
        assert other is not None
        other.acquire(now())
        try:
            run = Run(tmp_path, server.url, lambda house: received(house, 3), more="connections = 0")
        finally:
            other.release()

    assert run.status == 0


def answering(limit: int = 1_000, without: frozenset[str] | set[str] = frozenset()) -> Script:
    """A venue that answers every request, and then sends ticks of A, if it granted them, else of B."""

    async def script(client: Client) -> None:
        await client.greet()
        stands: dict[str, list[str]] = {}
        while True:
            request = await client.receive()
            names = [name for name in request if name != "action"]
            wanted = {name: sorted({*stands.get(name, ()), *request[name]}) for name in names}
            count = sum(len(symbols) for name, symbols in (stands | wanted).items() if name in ("trades", "quotes"))
            if without.intersection(names):
                await client.send({"T": "error", "code": 410, "msg": "invalid subscribe action for this feed"})
            elif count > limit:
                await client.send({"T": "error", "code": 405, "msg": "symbol limit exceeded"})
            else:
                stands |= wanted
                await client.send({"T": "subscription", **stands})
            if stands.get("trades"):
                symbol = stands["trades"][0]
                for number in range(3):
                    await client.send(trade(symbol, now(), i=number + now() % NS))

    return script
