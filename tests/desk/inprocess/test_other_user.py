"""A desk of a user other than root whose run folder is made read-only or removed: one error each."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534

PLAN = """
[session]
name = "other"
calendar = "24/7"
[feed]
kind = "synthetic"
speed = {speed}
synthetic = {{ symbols = 20, events_per_s = 100.0, minutes = {minutes} }}
symbols = ["SYN0000", "SYN0001", "SYN0002", "SYN0003"]
[flow]
checkpoint_s = 0.05
[[strategies]]
use = "strategies.examples.pressure:Pressure"
params = {{ ratio = 1.2, hold_s = 5, risk_usd = 500.0 }}
"""

# The first run, as root, imports everything: the interpreter may lie where others cannot enter.
CODE = """
import os, shutil, sys, threading, time
from pathlib import Path
from console.cli import app
folder, nobody = Path(sys.argv[1]), int(sys.argv[2])

def change(done, run):
    while not list(run.glob("keeper/shard-*.state")):
        time.sleep(0.01)
    match done:
        case "run folder read-only": run.chmod(0o500)
        case "ledger read-only": (run / "ledger.db").chmod(0o400)
        case "run folder gone": shutil.rmtree(run, ignore_errors=True)
        case "run folder renamed": run.rename(folder / "elsewhere")

def desk(plan, run):
    try:
        app(["run", str(plan), "--in-process", "--quiet", "--run-dir", str(run)])
    except SystemExit as ended:
        return ended.code

os.environ["RAYDESK_STATE_DIR"] = str(folder / "warm-state")
desk(folder / "warm.toml", folder / "warm")
os.environ["RAYDESK_STATE_DIR"] = str(folder / "state")
os.setgroups([])
os.setgid(nobody)
os.setuid(nobody)
for number, done in enumerate(sys.argv[3:]):
    run = folder / f"run-{number}"
    threading.Thread(target=change, args=(done, run), daemon=True).start()
    sys.stderr.write(f"\\n=====\\n{done}\\n")
    status = desk(folder / "plan.toml", run)
    sys.stderr.write(f"status {status}\\n")
sys.stderr.flush()
os._exit(0)
"""
DONE = {
    "run folder read-only": "Permission denied",
    "ledger read-only": "made read-only",
    "run folder gone": "deleted or moved",
    "run folder renamed": "deleted or moved",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the other user, in which both users can work."""
    made = Path(tempfile.mkdtemp(prefix="raydesk-other-"))
    made.chmod(0o777)
    try:
        (made / "warm.toml").write_text(PLAN.format(speed='"max"', minutes=1))
        (made / "plan.toml").write_text(PLAN.format(speed="5.0", minutes=390))
        yield made
    finally:
        shutil.rmtree(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_each_ends_with_one_error_that_says_so(folder: Path) -> None:
    state = folder / "state"
    state.mkdir(mode=0o700)
    os.chown(state, NOBODY, NOBODY)

    ended = subprocess.run(
        [sys.executable, "-c", CODE, str(folder), str(NOBODY), *DONE],
        cwd=ROOT,
        env=os.environ | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    found = dict(part.split("\n", 1) for part in ended.stderr.split("\n=====\n")[1:])
    assert list(found) == list(DONE), ended.stderr
    for done, named in DONE.items():
        err = found[done]
        assert err.startswith("error: "), err
        assert named in err
        assert "remedy:" in err
        assert "Traceback" not in err
        assert err.endswith("status 1\n")
