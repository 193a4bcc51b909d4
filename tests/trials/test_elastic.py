"""A short load curve on Ray's autoscaler: consumers follow the load, nodes follow consumers, nothing is lost.

The stretches of the course are the deadlines: each is much longer than what has to happen in it takes.
"""

import json
import subprocess
import sys
from typing import Any

import pytest
from session_ray import ROOT, clean_environment

pytestmark = pytest.mark.trial

COMMAND = (
    *("-m", "benchmarks.elastic", "--low", "900", "--hover", "2300", "--wait-us", "500"),
    *("--course-s", "10", "90", "90", "25", "--down-delay-s", "10", "--nodes", "2", "--node-cpus", "2"),
)
DEADLINE_S = 900.0


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, *COMMAND],
        cwd=ROOT,
        env=clean_environment() | {"RAY_AUTH_MODE": "disabled"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(f"\n{done.stdout}")
    published = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    told: list[dict[str, Any]] = json.loads(published)["rows"]
    return told


def test_every_trade_sent_is_applied(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["sent"] == row["received"] == row["applied"] > 0
        assert row["lost"] == 0
        assert row["balanced"]
        assert row["ok"]


def test_the_bars_are_those_of_a_fixed_number_of_consumers(rows: list[dict[str, Any]]) -> None:
    assert rows[0]["bars"] == rows[1]["bars"] > 0
    assert rows[0]["same_bars"]


def test_consumers_follow_the_load_up_and_down(rows: list[dict[str, Any]]) -> None:
    elastic = rows[0]

    assert elastic["consumers_before"] < elastic["consumers_at_four_times"] > elastic["consumers_after"]


def test_nodes_follow_the_consumers(rows: list[dict[str, Any]]) -> None:
    elastic = rows[0]

    assert elastic["nodes_at_most"] == 2
    assert elastic["nodes_after"] == 1
