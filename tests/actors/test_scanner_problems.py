from actors.driver.scanner_problems import ScannerProblems
from actors.scanners import ScanStats


def test_problems_of_all_incarnations_are_kept_each_once() -> None:
    found = ScannerProblems()

    for stats in (ScanStats(1, ["a"]), ScanStats(2, ["a", "b"]), ScanStats(1, ["b", "c"], epoch=1), "no stats"):
        found.take(stats)

    assert found.all == ["a", "b", "c"]


def test_a_fault_is_a_problem_while_it_lasts_and_a_warning_afterwards() -> None:
    found = ScannerProblems()
    found.take(ScanStats(1, [], fault="down since 9"))
    during = found.all, found.faults, found.warnings

    found.take(ScanStats(2, [], ["down from 9 to 10"]))

    assert during == (["down since 9"], ["down since 9"], [])
    assert (found.all, found.faults, found.warnings) == ([], [], ["down from 9 to 10"])


def test_the_fault_of_a_dead_incarnation_is_a_warning_if_its_successor_has_none() -> None:
    found = ScannerProblems()
    found.take(ScanStats(1, [], ["earlier"], "down since 9", 0))
    found.take(ScanStats(0, [], epoch=1))

    assert (found.all, found.warnings) == ([], ["earlier", "down since 9"])
