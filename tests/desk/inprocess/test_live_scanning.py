"""A scanner on a live feed, over real sockets: it picks a symbol, the desk subscribes it, and its ticks come."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from alpaca_rest_server import Answer
from scanned_venue import ScannedVenue, print_delays
from scanned_venue import scanned_venue as _fixture

from desk.config import load_plan
from desk.inprocess.in_process_desk import InProcessDesk
from desk.model.units import SECOND_NS
from desk.report.summary import Summary
from desk.runs import RunFolder

DEADLINE_S = 60.0
scanned_venue = _fixture


def run_until(venue: ScannedVenue, folder: Path, done: Callable[[InProcessDesk], bool]) -> Summary:
    """Run a desk until `done`."""
    desk = InProcessDesk(load_plan(venue.write_plan()), RunFolder.create(None, folder / "run", "run", 0))
    until_s = time.monotonic() + DEADLINE_S
    reached: list[bool] = []

    def show(_view: object) -> None:
        if done(desk) or time.monotonic() > until_s:
            reached.append(time.monotonic() <= until_s)
            desk.loop.stop()

    summary = desk.run(show)
    assert reached[0], f"not within {DEADLINE_S:.0f} s"
    return summary


def test_a_symbol_that_a_scanner_picks_is_subscribed_and_trades_at_its_shard(
    scanned_venue: ScannedVenue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def done(desk: InProcessDesk) -> bool:
        if scanned_venue.when("subscribed", "AAA") and desk.scanning.scans:
            scanned_venue.climbing = ["NEW"]
        return bool(scanned_venue.when("traded", "NEW"))

    summary = run_until(scanned_venue, tmp_path, done)

    print_delays(scanned_venue, "NEW", capsys)
    assert summary.ok, summary.problems
    assert summary.warnings == []
    assert not scanned_venue.when("traded", "AAA")  # no scanner picked it


def test_while_the_rest_server_fails_the_picks_stay_and_the_run_says_so(
    scanned_venue: ScannedVenue, tmp_path: Path
) -> None:
    scanned_venue.climbing = ["NEW"]

    def done(desk: InProcessDesk) -> bool:
        if scanned_venue.when("traded", "NEW") and not scanned_venue.rest.next_answers:
            scanned_venue.rest.next_answers = [Answer(403, {"message": "not yours"})] * 1000
        return bool(desk.scanning.fault)

    summary = run_until(scanned_venue, tmp_path, done)

    assert not summary.ok
    (problem,) = summary.problems
    assert "could not be scanned since" in problem
    assert "scanners keep their last symbols: alpaca iex snapshots: HTTP 403: not yours" in problem


def test_a_fault_that_is_over_is_a_warning(scanned_venue: ScannedVenue, tmp_path: Path) -> None:
    scanned_venue.climbing = ["NEW"]
    scanned_venue.rest.next_answers = [Answer(403, {"message": "not yet"})]

    summary = run_until(scanned_venue, tmp_path, lambda _desk: bool(scanned_venue.when("traded", "NEW")))

    assert summary.ok, summary.problems
    (warning,) = summary.warnings
    assert "(1 scan failed): alpaca iex snapshots: HTTP 403: not yet" in warning


def test_a_silent_rest_server_does_not_delay_the_ticks(scanned_venue: ScannedVenue, tmp_path: Path) -> None:
    rest = scanned_venue.rest
    rest.next_answers = [Answer(raw=b" " * 100_000, drip_s=0.2)] * 100

    def done(desk: InProcessDesk) -> bool:
        played_ns = desk.loop.stats().session_ns - desk.session.start_ns
        return len(rest.asked) > 0 and played_ns >= 4 * SECOND_NS

    summary = run_until(scanned_venue, tmp_path, done)

    assert summary.ticks.trades.received > 0
    assert summary.balanced
    assert len(rest.asked) == 1
