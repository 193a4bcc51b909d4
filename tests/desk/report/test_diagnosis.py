"""The rules of `desk doctor`, on the meters of real desks: a sample for each fault of the trial, and one of none.

The samples in `meter_samples` are what `interval_between` made of six seconds of the desk of
tests/trials/test_fault_attribution.py, on a machine with other work.
"""

from pathlib import Path

import msgspec
import pytest
from test_viewer import latencies

from desk.model.units import SECOND_NS
from desk.report.diagnosis import Finding, diagnose, diagnose_interval, diagnose_recorded, not_measured
from desk.report.live_snapshot import LiveSnapshot
from desk.report.meter_interval import ActorInterval, MeterInterval, interval_between, sum_of
from desk.telemetry.readings import Readings

SAMPLES = Path(__file__).with_name("meter_samples")
CULPRITS = {
    "lock": ("interpreter lock", "producer", "feed"),
    "quota": ("CPU quota", "consumer-00", "link"),
    "ledger": ("ledger", "ledger", "decide"),
    "log": ("log", "driver", ""),
    "strategy": ("strategy", "consumer-01", "apply"),
    "link": ("link", "consumer-00", "link"),
    "late": ("late venue", "producer", "feed"),
    "collector": ("garbage collection", "consumer-01", "link"),
    "ahead": ("clock skew", "producer", "feed"),
    "behind": ("clock skew", "producer", "feed"),
}


def sample(name: str) -> MeterInterval:
    return msgspec.json.decode((SAMPLES / f"{name}.json").read_bytes(), type=MeterInterval)


def of(name: str, **meters: object) -> list[Finding]:
    return diagnose_interval(MeterInterval(10.0, 0, {name: ActorInterval(7, **meters)}))  # type: ignore[arg-type]


def kinds(found: list[Finding]) -> list[tuple[str, float]]:
    return [(finding.kind, finding.share) for finding in found]


@pytest.mark.parametrize("name", CULPRITS)
def test_the_culprit_of_a_recorded_fault_is_first(name: str) -> None:
    first = diagnose_interval(sample(name))[0]

    assert (first.kind, first.process, first.hop) == CULPRITS[name]
    assert 0 < first.share <= 1
    assert first.pid == 1
    assert all(first.evidence)
    assert first.remedy.endswith(".")


def test_every_recorded_fault_has_its_culprit() -> None:
    assert {file.stem for file in SAMPLES.iterdir()} == {"healthy", *CULPRITS}


def test_a_recorded_desk_without_a_fault_is_healthy() -> None:
    assert diagnose_interval(sample("healthy")) == []


def test_a_process_that_waits_for_a_cpu_is_reported_where_its_batches_get_old() -> None:
    brief = of("producer", waits={"run_queue": 4.0}, hops={"lane": {"run_queue": 4.0}}, batches={"lane": 4_000})
    long = of("producer", waits={"run_queue": 4.0}, hops={"lane": {"run_queue": 4.0}}, batches={"lane": 40})

    assert (kinds(brief), kinds(long)) == ([], [("CPU competition", 0.4)])


def test_competition_and_work_rank_behind_what_may_be_their_cause() -> None:
    queue = {"hops": {"link": {"run_queue": 4.0}}, "batches": {"link": 9}}

    found = of("consumer-00", waits={"run_queue": 4.0, "gc": 2.5}, **queue)
    busy = of("consumer-00", waits={"gc": 5.0}, cpu=9.0, **queue)

    assert kinds(found) == [("garbage collection", 0.25), ("CPU competition", 0.4)]
    assert kinds(busy) == [("garbage collection", 0.5), ("CPU", 0.9)]


def test_a_commit_that_does_not_end_is_reported_and_many_fast_ones_are_not() -> None:
    fast = of("ledger", waits={"commit": 3.0}, commits=600)
    endless = of("ledger", waits={"commit": 10.0})

    assert fast == []
    assert kinds(endless) == [("ledger", 1.0)]
    assert "has not ended" in endless[0].evidence[0]
    assert of("broker", waits={"commit": 10.0}) == []


def test_time_that_a_strategy_waited_for_others_is_not_its_own() -> None:
    waited = of("consumer-00", strategies={"s.on_second": 6.0}, waits={"lock": 5.0})
    own = of("consumer-00", strategies={"s.on_second": 6.0, "t.on_bar": 1.0}, slow_calls=3)

    assert [kind for kind, _ in kinds(waited)] == ["interpreter lock"]
    assert kinds(own) == [("strategy", 0.7)]
    assert "s.on_second" in own[0].evidence[0]


def test_a_feed_that_is_down_is_reported() -> None:
    assert kinds(of("producer", connected=False)) == [("feed down", 1.0)]
    assert of("producer", connected=True) == []


def test_an_age_that_the_producer_itself_explains_is_not_the_venues() -> None:
    ages = {"feed_ages": [1.0, 2.0, 3.0], "batches": {"feed": 10}}

    found = of("producer", waits={"lock": 9.0}, hops={"feed": {"lock": 18.0, "rest": 2.0}}, **ages)

    assert kinds(found) == [("interpreter lock", 0.9)]
    assert kinds(of("producer", hops={"feed": {"rest": 20.0}}, **ages)) == [("late venue", 1.0)]


def test_many_faults_of_pages_are_told_with_a_finding() -> None:
    (found,) = of("keeper", waits={"log": 5.0}, faults=5_000)

    assert found.evidence[-1] == "5,000 page faults needed the disk"


def test_what_the_system_does_not_count_is_said() -> None:
    interval = MeterInterval(5.0, 0, {"producer": ActorInterval(1, unmeasured=["run_queue", "throttled"])})

    assert not_measured(interval) == ["producer: run_queue, throttled not measured on this system"]
    assert diagnose_interval(interval) == []


def readings(wall_s: float, lock_s: float, *, started_ns: int = 1, age_ms: tuple[float, ...] = ()) -> Readings:
    made = Readings("producer", 7, "", started_ns, round(wall_s * SECOND_NS))
    made.count("wait.time", lock_s, kind="lock", taken="probe")
    made.count("wait.time", 0.0, kind="run_queue", taken="kernel")
    made.count("process.cpu.time", 1.0, mode="user")
    made.count("process.cpu.time", wall_s / 10, mode="system")
    made.count("hop.time", lock_s, hop="lane", part="lock")
    made.record("batch.age", latencies(*age_ms), hop="feed")
    made.set("clock.skew", 0.25)
    made.set("feed.connected", 1)
    return made


def snapshot(wall_s: float, **found: Readings) -> LiveSnapshot:
    return LiveSnapshot(run_id="r", plan="p", wall_ns=round(wall_s * SECOND_NS), readings=found)


def test_an_interval_holds_the_differences_of_totals_and_the_last_of_the_rest() -> None:
    before = snapshot(100, producer=readings(100, 2.0, age_ms=(1.0,)))
    after = snapshot(110, producer=readings(110, 5.0, age_ms=(1.0, 2.0, 2.0, 3.0)))

    interval = interval_between(before, after)

    (producer,) = interval.actors.values()
    assert (interval.seconds, interval.ended_ns) == (10.0, 110 * SECOND_NS)
    assert (producer.pid, producer.cpu, producer.skew, producer.connected) == (7, 1.0, 0.25, True)
    assert (producer.waits, producer.hops) == ({"lock": 3.0}, {"lane": {"lock": 3.0}})
    assert (producer.batches, producer.unmeasured) == ({"feed": 3}, ["throttled"])
    assert producer.feed_ages == [pytest.approx(each, rel=0.02) for each in (0.002, 0.002, 0.003)]
    assert kinds(diagnose(before, after)) == [("interpreter lock", 0.3)]


def test_a_restarted_process_counts_from_its_start_and_a_silent_one_not_at_all() -> None:
    before = snapshot(100, producer=readings(100, 50.0), keeper=readings(99, 1.0))
    after = snapshot(110, producer=readings(110, 4.0, started_ns=105), keeper=readings(99, 1.0))

    actors = interval_between(before, after).actors

    assert list(actors) == ["producer"]
    assert actors["producer"].waits == {"lock": 4.0}


def test_intervals_add_up() -> None:
    first, second = (
        interval_between(
            snapshot(at, producer=readings(at, lock_s)), snapshot(at + 10, producer=readings(at + 10, lock_s + 2))
        )
        for at, lock_s in ((100, 1.0), (110, 3.0))
    )

    total = sum_of([first, second])

    assert total is not None
    assert (total.seconds, total.ended_ns) == (20.0, second.ended_ns)
    assert total.actors["producer"].waits == {"lock": 4.0}
    assert total.actors["producer"].hops == {"lane": {"lock": 4.0}}
    assert total.actors["producer"].cpu == pytest.approx(2.0)
    assert first.actors["producer"].waits == {"lock": 2.0}
    assert sum_of([]) is None


def test_an_interval_of_no_length_tells_nothing() -> None:
    interval = MeterInterval(0.0, 0, {"producer": ActorInterval(1, waits={"lock": 1.0})})

    assert diagnose_interval(interval) == []


def test_of_a_recorded_run_what_came_back_is_told_and_a_single_moment_is_not() -> None:
    def interval(**waits: float) -> MeterInterval:
        return MeterInterval(10.0, 0, {"producer": ActorInterval(7, waits=waits)})

    calm = [interval() for _ in range(50)]

    once = diagnose_recorded([*calm, interval(gc=3.0)])
    again = diagnose_recorded([interval(gc=3.0), *calm, interval(gc=4.0), interval(lock=2.0)])
    always = diagnose_recorded([interval(lock=2.0), interval(lock=5.0)])

    assert once == []
    assert kinds(again) == [("garbage collection", 0.4)]
    assert again[0].evidence[-1] == "so in 2 of 53 intervals of ten seconds"
    assert kinds(always) == [("interpreter lock", 0.5)]
    assert diagnose_recorded([]) == []
