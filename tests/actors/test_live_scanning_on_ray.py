"""A scanner on a live feed, with processes of their own: over real sockets, and through a death."""

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest
from alpaca_rest_server import Answer
from desk_process import RunningDesk
from scanned_venue import ScannedVenue, print_delays
from scanned_venue import scanned_venue as _fixture
from session_ray import RayHead, wait_until

pytestmark = pytest.mark.ray

DEADLINE_S = 60.0
scanned_venue = _fixture


def start(head: RayHead, venue: ScannedVenue, folder: Path) -> RunningDesk:
    plan = venue.write_plan("tests.helpers.recording_scanner")
    return RunningDesk(plan, folder / "run", head.environment, "--address", head.address)


def test_a_pick_is_subscribed_and_trades_at_its_shard(
    ray_head: RayHead, scanned_venue: ScannedVenue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(start(ray_head, scanned_venue, tmp_path)) as desk:
        wait_until(lambda: scanned_venue.when("subscribed", "AAA") or desk.ended, DEADLINE_S, "the first subscription")
        scanned_venue.climbing = ["NEW"]
        wait_until(lambda: scanned_venue.when("traded", "NEW") or desk.ended, DEADLINE_S, "a tick of the pick")
        desk.process.send_signal(signal.SIGTERM)
        status, _, err = desk.finish()

    print_delays(scanned_venue, "NEW", capsys)
    assert status == 0, err
    assert desk.summary()["balanced"]


def test_a_scanner_that_dies_while_its_venue_is_silent_is_replaced_and_delays_nothing(
    ray_head: RayHead, scanned_venue: ScannedVenue, tmp_path: Path
) -> None:
    scanned_venue.climbing = ["NEW"]
    rest = scanned_venue.rest
    rest.next_answers = [Answer(raw=b" " * 100_000, drip_s=0.2)]
    with closing(start(ray_head, scanned_venue, tmp_path)) as desk:
        wait_until(lambda: rest.asked or desk.ended, DEADLINE_S, "the first scan")
        before_ns = desk.mark_ns()
        desk.wait_for_mark(max(before_ns, 1) + 2 * 10**9)  # a silent venue delays no mark
        dead = desk.pids()["scanner"]
        os.kill(dead, signal.SIGKILL)
        wait_until(lambda: scanned_venue.when("traded", "NEW") or desk.ended, DEADLINE_S, "a tick of the pick")
        desk.process.send_signal(signal.SIGTERM)
        status, _, err = desk.finish()

    assert status == 0, err
    assert desk.summary()["balanced"]
    assert len(desk.started()["scanner"]) == 2
