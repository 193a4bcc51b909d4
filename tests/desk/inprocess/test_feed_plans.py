"""Each plan of configs/ with a live feed runs against a server that speaks the vendor's protocol."""

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from alpaca_server import AlpacaServer, Client, quote, trade
from running_programs import running, until
from vendor_servers import Dialogue, VendorServer, speak_crypto, speak_json, speak_polygon

from desk.config import load_plan
from desk.config.kinds import FEED_KINDS

ROOT = Path(__file__).resolve().parents[3]
COMMAND = "from console.cli import main; main()"
KEY = "planted-key-of-a-feed"
TICKS = 200
VENDORS: dict[str, tuple[Callable[[Dialogue], None], str, str]] = {
    "crypto": (speak_crypto, "/v1beta3/crypto/us", ""),
    "polygon": (speak_polygon, "/stocks", ""),
    "tickdb": (speak_json, "/v1/realtime", "X-API-Key"),
}
ENTITLEMENTS = {
    "paper": ("iex", "the exchange IEX alone, a few per cent of the US volume, in real time"),
    "crypto": ("us", "Alpaca's crypto venue alone, in real time"),
    "polygon": ("realtime", "all US exchanges (SIP), in real time"),
    "tickdb": ("", "not known to the desk: the stream at `url`"),
}


def write_plan(name: str, url: str, folder: Path) -> Path:
    """The plan of configs/, at any hour of any day, on another address."""
    text = (ROOT / "configs" / f"{name}.toml").read_text("utf-8")
    text = re.sub(r"^url = .*$", "", text, flags=re.MULTILINE).replace("[feed]\n", f'[feed]\nurl = "{url}"\n', 1)
    text = re.sub(r"^(stop|calendar) = .*$", "", text, flags=re.MULTILINE)
    text = text.replace("[session]\n", '[session]\ncalendar = "24/7"\n', 1)
    plan = folder / f"{name}.toml"
    plan.write_text(text, "utf-8")
    return plan


def run_until(plan: Path, folder: Path, is_enough: Callable[[], Any]) -> tuple[dict[str, Any], subprocess.Popen[bytes]]:
    """Run the plan in one process until enough was sent, and stop it by a signal."""
    keys = dict.fromkeys(("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "POLYGON_API_KEY", "TICKDB_API_KEY"), KEY)
    where = {"cwd": folder, "env": os.environ | keys | {"PYTHONPATH": str(ROOT)}}
    options = ["--in-process", "--run-dir", folder / "run", "--quiet"]
    with running(sys.executable, "-c", COMMAND, "run", plan, *options, folder=folder / "desk", **where) as desk:
        until(is_enough, "ticks")
        until((folder / "run" / "live.msgpack").exists, "a snapshot")
        desk.send_signal(signal.SIGTERM)
        desk.wait(60)
    return json.loads((folder / "run" / "summary.json").read_text()), desk


def require_stated(name: str, summary: dict[str, Any], folder: Path) -> None:
    """The feed is named in summary, bars and report; no file has the key."""
    feed_name, entitlement = ENTITLEMENTS[name]
    kind = load_plan(ROOT / "configs" / f"{name}.toml").feed.kind
    metadata = pq.read_metadata(folder / "run" / "bars.parquet").metadata
    assert summary["feed"] | {"kind": kind, "name": feed_name, "entitlement": entitlement} == summary["feed"]
    assert metadata[b"raydesk.feed.kind"].decode() == kind
    assert metadata[b"raydesk.feed.name"].decode() == feed_name
    assert metadata[b"raydesk.feed.entitlement"].decode() == entitlement
    assert entitlement in html.unescape((folder / "run" / "report.html").read_text("utf-8"))
    files = [path for path in (folder / "run").iterdir() if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def require_good(summary: dict[str, Any], desk: subprocess.Popen[bytes]) -> None:
    assert summary["balanced"]
    assert summary["feed"]["up"]
    assert summary["feed"]["refused_symbols"] == []
    assert summary["ticks"]["quotes"]["applied"] > 0
    assert not any(counts["rejected"].get("price") for counts in summary["ticks"].values())
    assert desk.returncode == 0, summary["problems"]


@pytest.mark.parametrize("name", VENDORS)
def test_a_plan_of_configs_runs_on_the_vendor_s_protocol(name: str, tmp_path: Path) -> None:
    speak, path, header = VENDORS[name]

    with VendorServer(speak, KEY, path, header) as server:
        plan = write_plan(name, server.url, tmp_path)
        summary, desk = run_until(plan, tmp_path, lambda: server.ticks >= TICKS)

    require_good(summary, desk)
    require_stated(name, summary, tmp_path)
    assert summary["warnings"] == [] or all("of the exchange's hours" not in line for line in summary["warnings"])


def test_the_paper_plan_runs_on_alpaca_s_protocol(tmp_path: Path) -> None:
    sent: list[str] = []

    async def market(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        while True:
            now_ns = time.time_ns()
            for symbol in client.subscribed["trades"]:
                await client.send(quote(symbol, now_ns), trade(symbol, now_ns, i=len(sent) + 1))
                sent.append(symbol)
            await client.server.pause()

    with AlpacaServer(market) as server:
        plan = write_plan("paper", server.url.replace("/v2/test", "/v2/iex"), tmp_path)
        summary, desk = run_until(plan, tmp_path, lambda: len(sent) >= TICKS)

    require_good(summary, desk)
    require_stated("paper", summary, tmp_path)


def test_every_kind_of_live_feed_has_a_plan_here() -> None:
    kinds = {load_plan(ROOT / "configs" / f"{name}.toml").feed.kind for name in ENTITLEMENTS}

    assert kinds == {name for name, kind in FEED_KINDS.items() if kind.is_live}


def test_a_wrong_key_ends_with_status_3_and_is_not_printed(tmp_path: Path) -> None:
    with VendorServer(speak_polygon, "another-key", "/stocks") as server:
        plan = write_plan("polygon", server.url, tmp_path)
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, "run", plan, "--in-process", "--run-dir", tmp_path / "run", "--quiet"],
            env=os.environ | {"POLYGON_API_KEY": KEY, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert done.returncode == 3
    assert "POLYGON_API_KEY" in done.stderr
    assert KEY not in done.stdout + done.stderr
