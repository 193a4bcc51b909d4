"""A disk that is full in mid-run: one error that names the cause, and a resume once there is space."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DESK = Path(sys.executable).parent / "desk"

PLAN = """
[session]
name = "full"
[feed]
kind = "synthetic"
synthetic = { symbols = 20, events_per_s = 80.0, minutes = 3 }
symbols = ["SYN0000", "SYN0001", "SYN0002", "SYN0003"]
[flow]
checkpoint_s = 0.05
[[strategies]]
use = "strategies.examples.pressure:Pressure"
params = { ratio = 1.2, hold_s = 5, risk_usd = 500.0 }
"""
STEPS = """
mount -t tmpfs -o size=$SIZE tmpfs disk || exit 77
$DESK run --in-process --quiet --run-dir disk/run plan.toml
echo "run $?"
test -e disk/run/resume.json || exit 0
mount -o remount,size=50m disk
$DESK run --quiet --resume disk/run
echo "resumed $?"
cp disk/run/summary.json .
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("size", ["80k", "400k"])
def test_a_full_disk_is_named_and_the_run_is_resumed_with_more(size: str, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "disk").mkdir()

    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", STEPS],
        cwd=tmp_path,
        env=os.environ | {"SIZE": size, "DESK": str(DESK), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    if "run " not in done.stdout:
        pytest.skip(f"no disk of one's own can be mounted here: {done.stderr}")
    assert "Traceback" not in done.stderr
    assert "is full" in done.stderr or "No space left on device" in done.stderr
    assert "run 0" not in done.stdout
    if "resumed" in done.stdout:
        assert "resumed 0" in done.stdout, done.stderr
        summary = json.loads((tmp_path / "summary.json").read_text())
        assert (summary["ok"], summary["problems"]) == (True, [])
