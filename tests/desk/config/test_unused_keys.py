"""Keys without effect are noted; names of missing things are rejected."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from desk.config import Plan, Settings, load_plan, override, plan_notes
from desk.config.feed_plan import KINDS_BY_OPTION
from desk.model.errors import PlanError

USE = "strategies.examples.pressure:Pressure"
MOVERS = {"use": "strategies.scanners.top_movers:TopMovers"}
CONFIGS = Path(__file__).resolve().parents[3] / "configs"


def plan(**tables: Any) -> Plan:
    return Plan.model_validate({"session": {"name": "day"}, **tables})


def notes(settings: Settings | None = None, **tables: Any) -> list[str]:
    written = plan(**tables)
    return plan_notes(written, override(written, settings or Settings(), None))


@pytest.mark.parametrize(
    ("tables", "note"),
    [
        (
            {"consumers": {"count": 2, "min": 1, "target_busy": 0.5}},
            "[consumers] min, target_busy have no effect: the num",
        ),
        ({"consumers": {"up_delay_s": 3.0}}, "[consumers] up_delay_s has no effect: the feed waits"),
        ({"consumers": {"rebalance": True}}, "[consumers] rebalance has no effect: the feed waits"),
        ({"flow": {"write_timeout_ms": 5}}, "[flow] write_timeout_ms has no effect: the feed waits"),
        (
            {"session": {"name": "x", "lockstep": True}, "feed": {"speed": 2.0}, "strategies": [{"use": USE}]},
            "[session] lockstep has no effect",
        ),
        ({"risk": {"max_daily_loss": 5.0}}, "[risk] max_daily_loss has no effect: the plan has no strategies"),
    ],
)
def test_a_key_that_is_written_and_idle_is_noted_with_the_reason(tables: dict[str, Any], note: str) -> None:
    assert [line for line in notes(**tables) if line.startswith(note)]


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"strategies": [{"use": USE}], "risk": {"max_daily_loss": 5.0}, "guards": {"hang_s": 3.0}},
        {"session": {"name": "x", "mode": "paper"}, "feed": {"kind": "alpaca"}, "flow": {"write_timeout_ms": 5}},
        {"session": {"name": "x", "mode": "paper"}, "feed": {"kind": "alpaca"}, "consumers": {"target_busy": 0.5}},
    ],
)
def test_a_key_that_is_left_out_or_has_an_effect_is_not_noted(tables: dict[str, Any]) -> None:
    assert notes(**tables) == []


OTHER = {"path": "x.parquet", "speed": 2.0, "url": "ws://127.0.0.1:1/x", "synthetic": {"seed": 2}}


@given(st.sampled_from(["tape", "synthetic", "alpaca"]), st.sets(st.sampled_from(sorted(OTHER))))
def test_an_option_of_another_kind_of_feed_is_refused_where_it_stands(kind: str, names: set[str]) -> None:
    feed = {"kind": kind, "path": "x.parquet" if kind == "tape" else ""} | {name: OTHER[name] for name in names}
    strangers = [name for name in names if kind not in KINDS_BY_OPTION[name]]
    session = {"name": "day", "mode": "paper" if kind == "alpaca" else "replay"}

    try:
        Plan.model_validate({"session": session, "feed": feed})
        refused = ""
    except ValidationError as error:
        refused = str(error)

    assert bool(refused) == bool(strangers)
    assert all(f'with kind = "{kind}"' in refused for _ in strangers)


@given(st.sets(st.sampled_from(["speed", "synthetic"])))
def test_options_that_the_environment_makes_strangers_are_noted(names: set[str]) -> None:
    feed = {"kind": "synthetic"} | {name: OTHER[name] for name in names}
    session = {"name": "x", "mode": "paper", "lockstep": False}

    told = "\n".join(notes(Settings(data_connector="alpaca"), session=session, feed=feed))

    assert ("[feed] speed has no effect: DATA_CONNECTOR" in told) == ("speed" in names)
    assert ("[feed.synthetic] seed has no effect: DATA_CONNECTOR" in told) == ("synthetic" in names)


def test_a_tape_and_its_day_are_let_go_where_the_environment_names_a_live_feed() -> None:
    session = {"name": "x", "mode": "paper", "lockstep": False, "date": "2024-03-05"}
    written = plan(session=session, feed={"kind": "tape", "path": "x.parquet"})

    live = override(written, Settings(data_connector="alpaca"), None)

    assert (live.feed.kind, live.feed.path, live.session.date) == ("alpaca", "", "")
    assert [line.split(" has ")[0] for line in plan_notes(written, live)] == ["[feed] path", "[session] date"]
    assert Plan.model_validate(live.model_dump(mode="json")) == live


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"feed": {"symbols": ["A"]}, "strategies": [{"use": USE, "symbols": ["A", "B"]}]}, '"B"'),
        ({"feed": {"symbols": []}, "strategies": [{"use": USE}]}, "an empty list and no scanner"),
        ({"session": {"name": "x", "date": "2024-03-05"}}, "2024-03-05"),
    ],
)
def test_what_is_not_there_is_refused(tables: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        plan(**tables)


def test_a_scanner_may_add_what_is_not_subscribed() -> None:
    (note,) = notes(feed={"symbols": ["A"]}, strategies=[{"use": USE, "symbols": ["B"]}], scanners=[MOVERS])

    assert note.startswith('[[strategies]] #1 symbols: "B" is not in [feed] symbols')
    assert notes(feed={"symbols": []}, strategies=[{"use": USE}], scanners=[MOVERS]) == []


@pytest.mark.parametrize(
    ("feed", "day", "words"),
    [
        ({"kind": "synthetic"}, "2024-03-05", "only a tape"),
        ({"kind": "tape", "path": "x"}, "2024-02-30", "YYYY-MM-DD"),
        ({"kind": "tape", "path": "x"}, "tomorrow", "YYYY-MM-DD"),
    ],
)
def test_a_day_on_the_command_line_is_one_that_a_tape_can_have(feed: dict[str, str], day: str, words: str) -> None:
    with pytest.raises(PlanError, match=words) as told:
        override(plan(feed=feed), Settings(), None, day)

    assert told.value.place == "command line, --date"


def test_the_day_on_the_command_line_goes_before_the_plan_s() -> None:
    written = plan(session={"name": "x", "date": "2024-03-05"}, feed={"kind": "tape", "path": "x"})

    assert override(written, Settings(), None, "2024-03-06").session.date == "2024-03-06"
    assert override(written, Settings(), None, "").session.day is None
    assert override(written, Settings(), None).session.date == "2024-03-05"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.name)
def test_the_notes_on_the_shipped_plans_name_keys_of_the_schema(path: Path) -> None:
    written = load_plan(path)

    for note in plan_notes(written, written):
        assert note.startswith("[")
        assert "no effect" in note
