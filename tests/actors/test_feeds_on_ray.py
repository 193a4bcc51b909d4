"""A live feed on Ray: a key's connection belongs to one desk of the machine, and refused keys end the session."""

import os
from contextlib import closing
from pathlib import Path

import pytest
from alpaca_server import AlpacaServer, Client
from live_desk import market, write_live_plan
from session_ray import BIN, RayHead
from two_jobs import SubmittedDesk

pytestmark = pytest.mark.ray


async def refuse_keys(client: Client) -> None:
    await client.send({"T": "success", "msg": "connected"})
    await client.receive()
    await client.send({"T": "error", "code": 402, "msg": "auth failed"})
    await client.stay()


def test_a_desk_has_the_keys_connection_until_its_keys_are_refused_and_its_books_are_closed(
    ray_head: RayHead, tmp_path: Path
) -> None:
    environment = ray_head.environment | {"RAYDESK_STATE_DIR": os.environ["RAYDESK_STATE_DIR"]}
    with AlpacaServer(market, market, refuse_keys) as venue:
        plan = write_live_plan(tmp_path, venue.url)

        def desk(name: str, *flags: str) -> SubmittedDesk:
            command = [BIN / "desk", "run", plan.name, "--run-dir", name, *flags]
            return SubmittedDesk(command, tmp_path / name, tmp_path, environment)

        with closing(desk("first", "--address", ray_head.address)) as first:
            first.wait_for_ticks()
            with closing(desk("second", "--in-process")) as second:
                refused = second.finish()
            dead = first.kill("producer")
            first.wait_for_successor("producer", dead)
            first.wait_for_mark(first.mark_ns() + 1)
            first.kill("producer")
            status, _, err = first.finish()

    assert refused[0] == 1
    assert "another desk of this machine uses the connection of this key (desk 'live', process" in refused[2]
    assert status == 3, err
    summary = first.summary()
    assert (summary["balanced"], summary["ok"], summary["feed"]["exit_status"]) == (True, False, 3)
    assert "the venue says 402 auth failed" in summary["problems"][0]
    assert summary["bars"] > 0
    assert venue.connections >= 3
