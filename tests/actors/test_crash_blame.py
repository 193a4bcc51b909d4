"""Finds the strategy that caused a process's death, from the notes that the process left."""

from actors.driver.crash_blame import CRASHES, DEATHS_IN_A_CALL, DEATHS_OF_A_STRATEGY, MOST_SYMBOLS, CrashBlame
from desk.model.items import Stop
from desk.process.breadcrumbs import Breadcrumb

SHARD = "consumer-00"
CALL = ("s", "A", "on_trade")


def test_a_process_that_ended_itself_stops_the_strategy_at_once() -> None:
    stop = CrashBlame().blame_for_death(SHARD, Breadcrumb(*CALL, 17, ended="os._exit(3) at x.py, line 1"))

    assert stop == Stop("s", "A", "its process was ended in on_trade by os._exit(3) at x.py, line 1")


def test_a_thread_that_ended_it_accuses_the_strategy_that_started_it_not_the_one_called_then() -> None:
    innocent = Breadcrumb(
        "other", "B", "on_second", 17, suspect=CALL, ended="os._exit(3) at x.py, line 1", in_thread=True
    )

    assert CrashBlame().blame_for_death(SHARD, innocent) == Stop(
        "s", "A", "its process was ended after on_trade by os._exit(3) at x.py, line 1"
    )


def test_crashes_in_a_row_stop_the_strategy_wherever_they_were() -> None:
    deaths = CrashBlame()

    stops = [deaths.blame_for_death(SHARD, Breadcrumb(*CALL, at, crash="Segmentation fault")) for at in range(CRASHES)]

    assert [stop is not None for stop in stops] == [False] * (CRASHES - 1) + [True]


def test_deaths_without_a_word_accuse_the_very_same_call_alone() -> None:
    deaths = CrashBlame()

    same = [deaths.blame_for_death(SHARD, Breadcrumb(*CALL, 17)) for _ in range(DEATHS_IN_A_CALL)]

    assert [stop is not None for stop in same] == [False] * (DEATHS_IN_A_CALL - 1) + [True]


def test_many_deaths_in_a_row_in_any_call_of_a_strategy_stop_it_everywhere() -> None:
    deaths = CrashBlame()

    stops = [
        deaths.blame_for_death(SHARD, Breadcrumb("s", f"S{at}", "on_trade", at) if at % 2 else Breadcrumb(suspect=CALL))
        for at in range(DEATHS_OF_A_STRATEGY)
    ]

    assert [stop is not None for stop in stops] == [False] * (DEATHS_OF_A_STRATEGY - 1) + [True]
    assert stops[-1] is not None
    assert (stops[-1].strategy, stops[-1].symbol) == ("s", "*")


def test_a_death_that_accuses_no_strategy_in_between_makes_it_chance() -> None:
    deaths = CrashBlame()

    for at in range(3 * DEATHS_OF_A_STRATEGY):
        crumb = Breadcrumb() if at % DEATHS_OF_A_STRATEGY == 0 else Breadcrumb("s", f"S{at}", "on_trade", at)
        assert deaths.blame_for_death(SHARD, crumb) is None
    assert deaths.blame_for_death(SHARD, None) is None


def test_a_strategy_that_was_stopped_for_some_symbols_is_stopped_for_all() -> None:
    deaths = CrashBlame()

    stops = [
        deaths.blame_for_hang(f"consumer-0{n}", Breadcrumb("s", f"S{n}", "on_second"), 5.0) for n in range(MOST_SYMBOLS)
    ]

    assert [stop.symbol for stop in stops] == [f"S{n}" for n in range(MOST_SYMBOLS - 1)] + ["*"]


def test_a_scanner_is_stopped_as_such() -> None:
    assert CrashBlame().blame_for_hang("scanner", Breadcrumb("S", "", "scan"), 5.0) == Stop(
        "S", "", "no progress for 5 s in scan"
    )
