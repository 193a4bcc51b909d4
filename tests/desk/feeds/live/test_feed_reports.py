"""Whole runs in one process on scripted venues: the feed in log, live view, summary and exit status."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alpaca_server import NS, AlpacaServer, Client, Script, quote, trade
from log_lines import log_events
from rich.console import Console

from console.commands.run import RunOptions, run_plan
from console.error_messages import ErrorReporter
from desk.inprocess.in_process_desk import InProcessDesk
from desk.model.errors import DeskError
from desk.process.clock import SystemClock
from desk.report.desk_view import DeskView

PLAN = """
[session]
name = "feeds"
mode = "paper"
calendar = "24/7"
clock = "CLOCK"
[feed]
kind = "alpaca"
url = "URL"
symbols = SYMBOLS
MORE
[guards]
GUARDS
[bars]
repair_s = 0
[consumers]
count = 1
"""
"""These venues have no history, or another one after their restart: gaps stay, and are no problem of the run."""
PATIENT = "max_clock_skew_ms = 600000\nmax_data_latency_s = 600.0"
"""However slow the machine, a sound feed is neither skewed nor old by these."""


class Run:
    """A run until `done` says so of what is shown, and what it left."""

    def __init__(
        self,
        folder: Path,
        url: str,
        done: Callable[[InProcessDesk], bool],
        more: str = "",
        guards: str = PATIENT,
        quiet: bool = True,
        symbols: str = '["A", "B"]',
        clock: str = "real",
    ) -> None:
        self.views: list[DeskView] = []
        self.stdout = io.StringIO()
        path = folder / "plan.toml"
        plan = PLAN.replace("URL", url).replace("SYMBOLS", symbols).replace("MORE", more).replace("GUARDS", guards)
        path.write_text(plan.replace("CLOCK", clock), encoding="utf-8")

        def house(plan: Any, run_folder: Any, resume: Any, show: Any) -> Any:
            made = InProcessDesk(plan, run_folder, resume)

            def look(view: DeskView) -> None:
                self.views.append(view)
                show(view)
                if done(made):
                    made.loop.stop()

            return made.run(look)

        console = Console(file=self.stdout, width=200)
        self.status = run_plan(path, RunOptions(run_dir=folder / "run", quiet=quiet), house, console, ErrorReporter())
        self.summary: dict[str, Any] = json.loads((folder / "run" / "summary.json").read_text(encoding="utf-8"))
        self.log = log_events(folder / "run" / "desk.log").splitlines()

    def logged(self, level: str, text: str) -> int:
        """The number of the first line of this level with this text."""
        return next(n for n, line in enumerate(self.log) if line.startswith(f"{level} ") and text in line)


def now() -> int:
    return SystemClock().wall_ns()


def marks(house: InProcessDesk, count: int) -> bool:
    return house.loop.session_ns >= house.session.start_ns + count * NS


def received(house: InProcessDesk, count: int) -> bool:
    return house.loop.feed.counts.received["trades"] >= count


async def tick_until_closed(client: Client, offset_s: float = 0.0, **more: Any) -> None:

    number = 0
    while True:
        number += 1
        await client.send(
            quote("A", now() + int(offset_s * NS)), trade("A", now() + int(offset_s * NS), i=number, **more)
        )
        await asyncio.sleep(0.05)


def ticking(offset_s: float = 0.0) -> Script:
    async def script(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await tick_until_closed(client, offset_s)

    return script


def test_a_good_feed_leaves_a_good_run(tmp_path: Path) -> None:
    with AlpacaServer(ticking()) as server:
        run = Run(tmp_path, server.url, lambda house: received(house, 3) and marks(house, 2))

    assert (run.status, run.summary["ok"], run.summary["problems"]) == (0, True, [])
    feed = {"kind": "alpaca", "name": "test", "up": True, "reconnects": 0, "refused_symbols": [], "delay_s": 0.0}
    assert run.summary["feed"] == feed | {"entitlement": "made-up test data of the vendor, in real time"}
    assert abs(run.summary["clock_skew_ms"]) < 600_000
    assert run.summary["gaps"] == []


def test_a_feed_where_nothing_listens_is_reported_at_once_and_in_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with AlpacaServer(ticking()) as server:
        pass

    run = Run(tmp_path, server.url, lambda house: marks(house, 2) and house.loop.live.health.failures > 1)

    assert (run.status, run.summary["ok"], run.summary["feed"]["up"]) == (1, False, False)
    (problem,) = run.summary["problems"]
    assert "never subscribed" in problem
    assert capsys.readouterr().err == f"error: {problem}\n"
    assert run.logged("ERROR", "the feed is not connected: no connection") < run.logged("ERROR", "never subscribed")
    (gap,) = run.summary["gaps"]
    assert "no connection" in gap["why"]
    assert gap["to_ns"] - gap["from_ns"] > NS
    assert any("feed down for" in alert for view in run.views for alert in view.alerts)
    assert run.stdout.getvalue().startswith("failed · balanced")


def test_a_loss_that_heals_is_a_gap_and_a_warning_and_the_run_is_ok(tmp_path: Path) -> None:
    async def leave(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.send(trade("A", now()))
        await client.websocket.close(1001)

    with AlpacaServer(leave, ticking()) as server:
        run = Run(tmp_path, server.url, lambda house: received(house, 4))

    assert (run.status, run.summary["ok"], run.summary["problems"]) == (0, True, [])
    assert run.summary["feed"]["reconnects"] == run.summary["producer"]["reconnects"] == 1
    assert len(run.summary["gaps"]) == 1
    assert "without a subscription once" in run.summary["warnings"][0]
    assert run.logged("WARNING", "the feed is down: the venue closed") < run.logged("WARNING", "subscribed again after")


def test_a_feed_that_is_down_at_the_end_fails_the_run_and_its_open_gap_is_written(tmp_path: Path) -> None:
    async def leave(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.send(trade("A", now()))
        await client.websocket.close(1001)

    async def refuse(client: Client) -> None:
        await client.websocket.close(1013)

    with AlpacaServer(leave, refuse) as server:
        run = Run(tmp_path, server.url, lambda house: house.loop.live.health.failures > 0)

    assert (run.status, run.summary["ok"], run.summary["feed"]["up"]) == (1, False, False)
    assert any("when the run ended" in problem for problem in run.summary["problems"])
    assert run.summary["gaps"][-1]["why"].startswith("the venue closed the connection: 1001")


def test_a_venue_that_always_says_slow_is_a_problem(tmp_path: Path) -> None:
    async def slow(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.send({"T": "error", "code": 407, "msg": "slow client"})
        await client.stay()

    with AlpacaServer(slow) as server:
        run = Run(tmp_path, server.url, lambda house: house.loop.live.health.slow_clients > 2)

    assert (run.status, run.summary["ok"]) == (1, False)
    assert any("(407)" in warning for warning in run.summary["warnings"])
    assert server.connections <= 8


def test_a_symbol_that_the_venue_does_not_grant_is_a_problem_but_no_failure(tmp_path: Path) -> None:
    async def partly(client: Client) -> None:
        await client.greet()
        for _ in range(3):
            await client.acknowledge(leave_out=["B"])
        await tick_until_closed(client)

    with AlpacaServer(partly) as server:
        run = Run(tmp_path, server.url, lambda house: received(house, 3), quiet=False)

    assert (run.status, run.summary["ok"], run.summary["feed"]["refused_symbols"]) == (0, False, ["B"])
    assert [problem.partition(": ")[2] for problem in run.summary["problems"]] == [
        "the venue does not grant the quotes of 1 symbol: B",
        "the venue does not grant the trades of 1 symbol: B",
    ]
    assert run.logged("ERROR", "does not grant the trades") < len(run.log) - 3
    assert "not granted by the venue: B" in run.views[-1].alerts
    assert "complete with 2 problems" in run.stdout.getvalue()


def test_a_feed_without_a_tick_fails_the_run(tmp_path: Path) -> None:
    async def mute(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.stay()

    with AlpacaServer(mute) as server:
        run = Run(tmp_path, server.url, lambda house: house.loop.live.health.subscribed and marks(house, 1))

    assert (run.status, run.summary["ok"], run.summary["feed"]["up"]) == (1, False, True)
    assert "no tick was received" in run.summary["problems"][0]


# Ticks from the future are rejected until three seconds of them agree: on a slow machine that takes its time.
@pytest.mark.parametrize(
    ("offset_s", "cause", "guards"),
    [(-15.0, "(lag or clock)", ""), (30.0, "(clock)", "max_data_latency_s = 600.0")],
)
def test_a_clock_that_is_off_is_an_error_and_one_problem(
    tmp_path: Path, offset_s: float, cause: str, guards: str
) -> None:
    with AlpacaServer(ticking(offset_s)) as server:
        run = Run(tmp_path, server.url, lambda house: len(house.loop.watch._skew.state.recent) > 3, guards=guards)

    skewed = [problem for problem in run.summary["problems"] if cause in problem]
    assert (run.status, run.summary["ok"], len(skewed)) == (0, False, 1)
    assert run.summary["clock_skew_ms"] > -1000 * offset_s - 100
    assert run.logged("ERROR", cause) < len(run.log) - 2
    old = [line for line in run.log if "above max_data_latency_s" in line]
    assert len(old) == (1 if offset_s < -10 else 0)
    assert any("clock skew" in alert for alert in run.views[-1].alerts)


def test_a_feed_that_is_late_by_design_is_neither_skewed_nor_old(tmp_path: Path) -> None:
    with AlpacaServer(ticking(-900.0)) as server:
        done = lambda house: len(house.loop.watch._skew.state.recent) > 3  # noqa: E731
        run = Run(tmp_path, server.url, done, more="delay_s = 900.0")

    assert (run.status, run.summary["ok"], run.summary["problems"]) == (0, True, [])
    assert abs(run.summary["clock_skew_ms"]) < 600_000
    assert run.summary["latency_ms"]["data_latency"]["max"] < 600_000
    assert [line for line in run.log if "max_data_latency_s" in line] == []
    assert run.summary["ticks"]["trades"]["rejected"] == {}


@pytest.mark.parametrize(("code", "status"), [(402, 3), (405, 1), (410, 1)])
def test_a_refusal_that_nothing_can_heal_ends_the_run_and_stands_in_its_summary(
    tmp_path: Path, code: int, status: int
) -> None:
    async def refuse(client: Client) -> None:
        await client.greet()
        while True:
            await client.receive()
            await client.send({"T": "error", "code": code, "msg": "no"})

    with AlpacaServer(refuse) as server, pytest.raises(DeskError, match=f"the venue says {code} no") as caught:
        Run(tmp_path, server.url, lambda _: False)

    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert caught.value.exit_status == status
    assert (summary["ok"], summary["failed"], summary["feed"]["up"]) == (False, True, False)
    (problem,) = summary["problems"]
    assert f"the venue says {code} no" in problem
    log = log_events(tmp_path / "run" / "desk.log")
    assert log.count(f"the venue says {code} no") == 1
    assert "tried again" not in log
