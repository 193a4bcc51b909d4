from desk.local_venue.faults.fault_schedule import FaultSchedule
from desk.local_venue.faults.fault_script import parse_faults

S = 10**9


def schedule(text: str, speed: float | None = 60.0) -> FaultSchedule:
    return FaultSchedule(parse_faults(text, "f"), 0, speed)


def test_a_moment_happens_once_at_its_step_from_its_time_on() -> None:
    faults = schedule('[[faults]]\nkind = "cut"\nat = 5')

    assert faults.take("data", 1, 0, "moment") is None
    faults.reach(5 * S)
    assert faults.take("auth", 1, 0, "moment") is None
    taken = faults.take("data", 1, 0, "moment")
    assert taken is not None
    assert taken.kind.name == "cut"
    assert faults.take("data", 1, 0, "moment") is None
    assert faults.counts == {"cut": 1}


def test_a_moment_waits_for_its_connection_and_its_events_but_not_beyond_its_end() -> None:
    faults = schedule('[[faults]]\nkind = "cut"\nconnection = 2\nafter_events = 10\nfor_s = 60\ntimes = 3')

    assert faults.take("data", 1, 99, "moment") is None
    assert faults.take("data", 2, 9, "moment") is None
    assert faults.take("data", 2, 10, "moment") is not None
    faults.reach(60 * S)
    assert faults.take("data", 2, 10, "moment") is None


def test_answers_are_replaced_only_by_faults_of_their_step() -> None:
    faults = schedule('[[faults]]\nkind = "error"\ncode = 500\nstep = "auth"\ntimes = 2')

    taken = [faults.take(step, 1, 0, "moment", "answer") for step in ("greeting", "auth", "auth", "auth", "data")]

    assert [fault is not None for fault in taken] == [False, True, True, False, False]


def test_spans_are_those_of_now_and_of_the_connection() -> None:
    faults = schedule(
        '[[faults]]\nkind = "mute"\nat = 1\nfor_s = 2\n'
        '[[faults]]\nkind = "late"\nconnection = 2\n[[faults]]\nkind = "no_pong"'
    )

    def names(connection: int) -> list[str]:
        return [fault.kind.name for fault in faults.spans(connection)]

    assert names(1) == ["no_pong"]
    faults.reach(1 * S)
    assert (names(1), names(2)) == (["mute", "no_pong"], ["mute", "late", "no_pong"])
    faults.reach(3 * S)
    assert names(2) == ["late", "no_pong"]


def test_play_time_never_goes_back_and_wall_time_is_scaled() -> None:
    faults = schedule("", speed=60.0)
    faults.reach(5 * S)
    faults.reach(4 * S)

    assert faults.now_ns == 5 * S
    assert faults.wall_s(90.0) == 1.5
    assert schedule("", speed=None).wall_s(90.0) == 90.0


def test_the_skew_of_the_clock_is_the_sum_of_its_faults() -> None:
    faults = schedule(
        '[[faults]]\nkind = "clock_skew"\nms = 1500\nof = "clock"\n'
        '[[faults]]\nkind = "clock_skew"\nms = -500\nof = "clock"\n'
        '[[faults]]\nkind = "clock_skew"\nms = 9000'
    )

    assert faults.clock_offset_ns() == S
    assert faults.counts == {"clock_skew": 2}
