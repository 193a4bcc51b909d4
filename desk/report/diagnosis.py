"""The rules of `desk doctor`: from the meters of an interval to findings, the most serious first.

Tests: tests/desk/report/test_diagnosis.py
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from desk.report.live_snapshot import LiveSnapshot
from desk.report.meter_interval import ActorInterval, MeterInterval, interval_between, sum_of
from desk.telemetry import formatting

Kind = Literal[
    "interpreter lock",
    "CPU quota",
    "CPU competition",
    "garbage collection",
    "ledger",
    "log",
    "strategy",
    "link",
    "late venue",
    "clock skew",
    "feed down",
    "CPU",
]

LOCK_SHARE: Final = 0.1
QUOTA_SHARE: Final = 0.05
QUEUE_SHARE: Final = 0.1
GC_SHARE: Final = 0.05
BLOCKED_SHARE: Final = 0.1
STRATEGY_SHARE: Final = 0.25
CPU_SHARE: Final = 0.85
"""From these shares of the time on, a kind is a finding."""
QUEUED_S: Final = 0.008
"""Waits for a CPU count from this mean for each batch on: shorter ones make nothing old, and are usual on a machine
with other work.
"""
SLOW_COMMIT_S: Final = 0.03
SLOW_LINK_S: Final = 0.03
LATE_S: Final = 1.0
SKEW_S: Final = 0.5
STEADY: Final = 0.05
"""A lag whose quantiles differ by less than this fraction of it comes from a clock, or is a delay by design."""
WHOLE_S: Final = 5.0
REPEATED: Final = 2
LEAST_S: Final = 0.1
"""In an interval shorter than this no share is judged."""


class Finding(msgspec.Struct, kw_only=True):
    """One cause of age: `share` (0 to 1) is the part of the time, or of the data's age, for which it accounts.

    `hop` is the hop of batches that it makes slow, "" if none. `holder` is the code that holds the lock or blocks,
    where stacks were taken.
    """

    process: str
    pid: int
    hop: str
    kind: Kind
    share: float
    evidence: list[str]
    remedy: str
    holder: str = ""


class _Process:
    """One process of an interval, with shares of its time."""

    def __init__(self, name: str, meters: ActorInterval, seconds: float) -> None:
        self.name, self.meters, self.seconds = name, meters, seconds

    def wait(self, kind: str) -> float:
        """The share of the time in which it waited for this."""
        return self.meters.waits.get(kind, 0.0) / self.seconds

    @property
    def hop(self) -> str:
        """The hop in which most of its batches' time passed."""
        totals = {hop: sum(parts.values()) for hop, parts in self.meters.hops.items()}
        return max(totals, key=lambda hop: totals[hop], default="")

    def finding(self, kind: Kind, share: float, evidence: str, remedy: str, hop: str | None = None) -> Finding:
        """A finding about this process."""
        at = self.hop if hop is None else hop
        return Finding(
            process=self.name,
            pid=self.meters.pid,
            hop=at,
            kind=kind,
            share=round(min(share, 1.0), 3),
            evidence=[evidence, *self._faults()],
            remedy=remedy,
        )

    def _faults(self) -> list[str]:
        faults = self.meters.faults
        return [f"{faults:,} page faults needed the disk"] if faults > 10 * self.seconds else []


Rule = Callable[[_Process], Iterator[Finding]]


def diagnose(before: LiveSnapshot, after: LiveSnapshot) -> list[Finding]:
    """The findings between two snapshots of a run, the greatest share first; none for a healthy desk."""
    return diagnose_interval(interval_between(before, after))


def diagnose_interval(interval: MeterInterval) -> list[Finding]:
    """The findings of an interval, the greatest share first."""
    if interval.seconds < LEAST_S:
        return []
    processes = [_Process(name, meters, interval.seconds) for name, meters in interval.actors.items()]
    found = [finding for process in processes for rule in RULES for finding in rule(process)]
    return sorted(found, key=lambda finding: (-_weight(finding), finding.process))


def diagnose_recorded(intervals: Sequence[MeterInterval]) -> list[Finding]:
    """The findings of a whole run: those of its sum, and those of at least REPEATED of its intervals.

    Each is as in its worst interval, and says in how many of them it was.
    """
    whole = [one for one in intervals if one.seconds >= WHOLE_S] or intervals
    by_cause: dict[tuple[str, str], list[Finding]] = {}
    for one in whole:
        for finding in diagnose_interval(one):
            by_cause.setdefault((finding.process, finding.kind), []).append(finding)
    total = sum_of(intervals)
    lasting = {(one.process, one.kind) for one in ([] if total is None else diagnose_interval(total))}
    found = []
    for cause, findings in by_cause.items():
        if cause in lasting or len(findings) >= REPEATED:
            worst = max(findings, key=_weight)
            worst.evidence.append(f"so in {len(findings)} of {len(whole)} intervals of ten seconds")
            found.append(worst)
    return sorted(found, key=lambda finding: (-_weight(finding), finding.process))


def _weight(finding: Finding) -> float:
    """The share, by which findings are ranked; work and competition less, of which another finding may be the cause."""
    return finding.share / 2 if finding.kind in {"CPU", "CPU competition"} else finding.share


def not_measured(interval: MeterInterval) -> list[str]:
    """What the system does not count, a line for each process."""
    return [
        f"{name}: {', '.join(meters.unmeasured)} not measured on this system"
        for name, meters in interval.actors.items()
        if meters.unmeasured
    ]


def _lock(process: _Process) -> Iterator[Finding]:
    share = process.wait("lock")
    if share >= LOCK_SHARE:
        yield process.finding(
            "interpreter lock",
            share,
            f"another thread of the process held Python's lock for {formatting.percent(share)} of the time "
            "(sampled by a probe thread)",
            "Move that work into a process of its own, or into calls that release the lock.",
        )


def _quota(process: _Process) -> Iterator[Finding]:
    share = process.wait("throttled")
    if share >= QUOTA_SHARE:
        yield process.finding(
            "CPU quota",
            share,
            f"the control group's CPU quota was used up: the process stood still for {formatting.percent(share)} of "
            "the time (cpu.stat, schedstat)",
            "Raise the CPU limit of the container or control group, or run fewer processes in it.",
        )


def _competition(process: _Process) -> Iterator[Finding]:
    share, meters = process.wait("run_queue"), process.meters
    batches = max(meters.batches.values(), default=0)
    total_s = sum(parts.get("run_queue", 0.0) for parts in meters.hops.values())
    queued_s = total_s / max(batches, 1)
    if share >= QUEUE_SHARE and queued_s >= QUEUED_S and total_s >= QUEUE_SHARE * process.seconds:
        yield process.finding(
            "CPU competition",
            share,
            f"ready to run, it got no CPU for {formatting.percent(share)} of the time, "
            f"{formatting.milliseconds(1_000 * queued_s)} for each batch (schedstat); it used "
            f"{formatting.percent(meters.cpu / process.seconds)} of a core",
            "Run fewer processes on this machine, give the desk more cores, or lower [consumers] count.",
        )


def _collector(process: _Process) -> Iterator[Finding]:
    share = process.wait("gc")
    if share >= GC_SHARE:
        strategy = _slowest_strategy(process.meters)
        where = f"; the calls of {strategy} took most time" if strategy else ""
        yield process.finding(
            "garbage collection",
            share,
            f"Python's garbage collector ran for {formatting.percent(share)} of the time{where}",
            "Do not call gc.collect; hold large data in arrays, not in many small objects.",
        )


def _ledger(process: _Process) -> Iterator[Finding]:
    """A commit that is under way counts too: where none has ended, all the time was one commit."""
    waited_s, commits = process.meters.waits.get("commit", 0.0), process.meters.commits
    share = waited_s / process.seconds
    if process.name in {"ledger", "desk"} and share >= BLOCKED_SHARE and waited_s / max(commits, 1) >= SLOW_COMMIT_S:
        mean = f"{commits} commits took {formatting.milliseconds(1_000 * waited_s / max(commits, 1))} each"
        yield process.finding(
            "ledger",
            share,
            mean if commits else f"a commit has not ended for {formatting.duration(waited_s)}",
            "Look at the disk or server of the ledger's database; orders wait for every commit.",
            "decide",
        )


def _log(process: _Process) -> Iterator[Finding]:
    share = process.wait("log")
    if share >= BLOCKED_SHARE:
        yield process.finding(
            "log",
            share,
            f"writing to the log blocked for {formatting.percent(share)} of the time",
            "Look at the disk or pipe that takes the log: it is full or slow.",
            "",
        )


def _strategy(process: _Process) -> Iterator[Finding]:
    """What strategies took, without what the process waited for meanwhile."""
    meters = process.meters
    waits_s = sum(meters.waits.get(kind, 0.0) for kind in ("gc", "lock", "run_queue", "throttled"))
    took_s = sum(meters.strategies.values())
    share = (took_s - waits_s) / process.seconds
    if share >= STRATEGY_SHARE:
        yield process.finding(
            "strategy",
            share,
            f"strategies took {formatting.percent(took_s / process.seconds)} of the time, "
            f"most of it {_slowest_strategy(meters)}; {meters.slow_calls:,} calls above strategy_budget_ms",
            "Make that hook faster, give it fewer symbols, or run more consumers.",
            "apply",
        )


def _link(process: _Process) -> Iterator[Finding]:
    """The part of the way to the shard for which no wait of the shard accounts."""
    parts, batches = process.meters.hops.get("link", {}), process.meters.batches.get("link", 0)
    rest_s = parts.get("rest", 0.0)
    if not batches or rest_s / batches < SLOW_LINK_S:
        return
    age_s = sum(sum(hop.values()) for hop in process.meters.hops.values())
    yield process.finding(
        "link",
        rest_s / age_s,
        f"{batches:,} batches spent {formatting.milliseconds(1_000 * rest_s / batches)} each between producer and "
        "shard, while the shard waited for nothing else",
        "Look at the network between the two nodes, or keep the consumer on the producer's node.",
        "link",
    )


def _venue(process: _Process) -> Iterator[Finding]:
    """Data that are old when they arrive, and times that cannot be true."""
    meters = process.meters
    if meters.skew is not None and meters.skew <= -SKEW_S:
        yield process.finding(
            "clock skew",
            1.0,
            f"the venue's times are {formatting.duration(-meters.skew)} ahead of those of reception",
            "Set this machine's clock by NTP, or correct the venue's times.",
            "feed",
        )
    if len(meters.feed_ages) < 3:
        return
    early_s, middle_s, late_s = meters.feed_ages
    unexplained_s = middle_s - _explained_s(meters)
    if unexplained_s < LATE_S:
        return
    seen = f"data were {formatting.duration(middle_s)} old when they arrived ({early_s:.2f} to {late_s:.2f} s)"
    if late_s - early_s <= STEADY * middle_s:
        remedy = "Set both clocks by NTP; if the feed is late by design, set [feed] delay_s."
        yield process.finding("clock skew", 1.0, f"{seen}, always by the same", remedy, "feed")
    else:
        remedy = "Look at the venue's status page and at the connection; nothing in the desk makes them old."
        yield process.finding("late venue", unexplained_s / middle_s, seen, remedy, "feed")


def _feed(process: _Process) -> Iterator[Finding]:
    if process.meters.connected is False:
        remedy = "Look at desk.log for the reason; the desk connects again by itself."
        yield process.finding("feed down", 1.0, "the feed is not connected, or its data are not fresh", remedy, "feed")


def _cpu(process: _Process) -> Iterator[Finding]:
    share = process.meters.cpu / process.seconds
    if share >= CPU_SHARE and process.meters.hops and process.wait("lock") < LOCK_SHARE:
        yield process.finding(
            "CPU",
            share,
            f"it worked for {formatting.percent(share)} of the time",
            "Run more consumers, subscribe fewer symbols, or use a faster machine.",
        )


RULES: Final[Sequence[Rule]] = (
    *(_lock, _quota, _competition, _collector),
    *(_ledger, _log, _strategy, _link, _venue, _feed, _cpu),
)


def _explained_s(meters: ActorInterval) -> float:
    """The age at receipt for which the producer's own work and waits account, for each read."""
    parts, reads = meters.hops.get("feed", {}), meters.batches.get("feed", 0)
    return sum(seconds for part, seconds in parts.items() if part != "rest") / max(reads, 1)


def _slowest_strategy(meters: ActorInterval) -> str:
    """The strategy and hook that took most time."""
    return max(meters.strategies, key=lambda name: meters.strategies[name], default="")
