"""Ray's dashboard, as a person sees it, tells what a desk's actors are, and its job names plan and run folder."""

import json
import signal
from contextlib import closing
from pathlib import Path

import pytest
from alpaca_server import AlpacaServer
from browser import browser_page
from live_desk import market, write_live_plan
from running_programs import running
from session_ray import BIN, RayHead, wait_until
from two_jobs import Dashboard, SubmittedDesk

pytestmark = pytest.mark.ray

ACTORS = {
    "producer": "producer of live: alpaca feed",
    "consumer-00": "consumer-00 of live: Flip",
    "consumer-01": "consumer-01 of live: Flip",
    "scanner": "scanner of live: no scanner",
    "history": "history of live: alpaca feed",
    "broker": "broker of live: simulated",
    "ledger": "ledger of live",
    "keeper": "keeper of run",
}
"""Each actor's name, and the text that describes it."""


def test_the_actors_page_and_the_lists_name_the_desk_s_actors_and_their_states(
    ray_head: RayHead, tmp_path: Path
) -> None:
    dashboard = Dashboard(ray_head)
    with AlpacaServer(market) as venue:
        plan = write_live_plan(tmp_path, venue.url)
        command = [BIN / "desk", "run", plan.name, "--run-dir", "run", "--address", ray_head.address]
        with closing(SubmittedDesk(command, tmp_path / "run", tmp_path, ray_head.environment)) as desk:
            wait_until(lambda: set(desk.started()) == set(ACTORS) or desk.ended, 90.0, "the actors")
            assert not desk.ended, desk.finish()
            listed = json.loads(
                dashboard.get(
                    "/api/v0/actors?detail=true&limit=10000&filter_keys=state&filter_predicates=%3D&filter_values=ALIVE"
                )
            )
            rows = listed["data"]["result"]["result"]
            jobs = json.loads(dashboard.get("/api/jobs/"))
            with browser_page(tmp_path / "browser") as page:
                token = ray_head.secrets["ray_auth_token"]
                page.call("Network.setCookie", name="ray-authentication-token", value=token, url=ray_head.dashboard)
                page.call("Page.navigate", url=f"{ray_head.dashboard}/#/actors")
                text = page.wait_for(*ACTORS, *ACTORS.values(), "ALIVE")
                page.screenshot(tmp_path / "actors.png")
            elsewhere = {"cwd": ray_head.folder, "env": ray_head.environment | {"RAY_ADDRESS": ray_head.address}}
            with running(BIN / "desk", "top", folder=tmp_path / "top", **elsewhere) as top:
                shown = tmp_path / "top" / "out"
                wait_until(lambda: shown.read_text().count("orders") > 1 or top.poll() is not None, 60.0, "figures")
                desk.process.send_signal(signal.SIGTERM)
                assert top.wait(90) == 0, shown.read_text()
            assert desk.finish()[0] == 0

    assert shown.read_text().splitlines()[-1].startswith("run: the desk has ended")
    named = {row["name"]: row for row in rows if row["ray_namespace"].startswith("raydesk-run-")}
    assert {name: (row["state"], row["repr_name"]) for name, row in named.items()} == {
        name: ("ALIVE", described) for name, described in ACTORS.items()
    }
    assert {row["class_name"] for row in named.values()} == {
        "Producer", "Consumer", "Scanner", "History", "Broker", "Ledger", "Keeper"
    }  # fmt: skip
    (job,) = (job for job in jobs if (job["metadata"] or {}).get("run_folder") == str(tmp_path / "run"))
    assert job["metadata"]["plan"] == "live"
    assert not [secret for secret in ray_head.secrets.values() if secret in text or secret in json.dumps(jobs)]
