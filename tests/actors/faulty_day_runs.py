"""A desk on a venue that plays a day with faults, and one on a venue that plays it without: runs and comparison."""

from contextlib import closing
from pathlib import Path
from typing import Any

from desk_process import RunningDesk
from faulty_day import (
    MARKET,
    MINUTE_NS,
    NS,
    PLAN,
    DayVenue,
    Fault,
    bars_of,
    missing_minutes,
    played,
    wrong_minutes,
)
from session_ray import RayHead, wait_until

OPEN_NS = 1_381_152_600 * NS
MOST_PER_MINUTE = 12
SPEED = 60.0


def run(
    head: RayHead, venue: DayVenue, hours: tuple[str, str], folder: Path, *flags: str, kills_at: tuple[float, ...] = ()
) -> dict[str, Any]:
    """Run a desk on the venue, kill its producer at these minutes of the day, and return the summary."""
    plan = folder / "plan.toml"
    plan.write_text(PLAN.format(port=venue.port, start=hours[0], stop=hours[1]))
    flags = flags or ("--address", head.address)
    with closing(RunningDesk(plan, folder / "run", head.environment, *flags, deadline_s=1200.0)) as desk:
        for minute in kills_at:
            reached_ns = OPEN_NS + round(minute * MINUTE_NS)
            wait_until(
                lambda at_ns=reached_ns: bool(venue.samples) and venue.samples[-1].session_ns >= at_ns,
                1200.0,
                "the minute",
            )  # type: ignore[misc]
            desk.kill("producer")
        status, _, err = desk.finish()
    assert status in {0, 1}, err
    return desk.summary()


def play_and_compare(
    head: RayHead, tape: Path, hours: tuple[str, str], faults: list[Fault], folder: Path, *kills_at: float
) -> str:
    """Compare the two runs; the figures, as text."""
    with played(tape, MARKET, 2 * SPEED, folder / "clean") as venue:
        clean = run(head, venue, hours, folder / "clean", "--in-process")
    with played(tape, [*MARKET, *faults], SPEED, folder / "faulty") as venue:
        faulty = run(head, venue, hours, folder / "faulty", kills_at=kills_at)
        injected = venue.stats()["faults"]

    assert (clean["problems"], clean["balanced"]) == ([], True)
    runs = folder / "faulty" / "run", folder / "clean" / "run"
    flags = [bar["flags"] for bar in bars_of(runs[0]).values()]
    counts = {flag: flags.count(flag) for flag in ("complete", "repaired", "partial")}
    assert faulty["balanced"]
    assert sum(1 for times in injected.values() if times) >= 12
    assert wrong_minutes(*runs) == []
    assert counts["repaired"] > 0
    assert missing_minutes(*runs) == []
    assert venue.opened_between(OPEN_NS + 84 * MINUTE_NS, OPEN_NS + 87 * MINUTE_NS) == 0, "in quiet hours"
    minute_ns = round(60 * SPEED) * NS
    for sample in venue.samples:
        assert venue.opened_between(sample.session_ns, sample.session_ns + minute_ns) <= MOST_PER_MINUTE
    figures = f"{injected}\n{counts}, {len(faulty['gaps'])} gaps, {venue.samples[-1].connections} connections"
    return "\n  ".join([figures, *(line[:200] for line in [*faulty["problems"], *faulty["warnings"]])])
