"""Every bad plan gives one error that names the place and the remedy."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from desk.config import Settings, load_plan, plan_schema
from desk.config.plan import Plan
from desk.config.plan_errors import plan_error
from desk.model.errors import PlanError

ROOT = Path(__file__).resolve().parents[3]
NAMED = '[session]\nname = "day"\n'
USE = 'use = "strategies.examples.pressure:Pressure"\n'


def refusal(folder: Path, text: str) -> PlanError:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    return caught.value


@pytest.mark.parametrize("name", ["demo.toml", "replay.toml"])
def test_the_plans_that_ship_are_good(name: str) -> None:
    plan = load_plan(ROOT / "configs" / name)

    assert plan.session.name == name.removesuffix(".toml")
    assert plan.strategies


def test_the_demo_says_every_key_that_a_made_up_market_has() -> None:
    written = load_plan(ROOT / "configs" / "demo.toml").model_dump(exclude_unset=True)

    for table in ("consumers", "flow", "guards", "risk", "broker", "ledger", "bars"):
        assert set(written[table]) == set(plan_schema.table_keys(plan_schema.find_node((table,))[1])), table
    assert set(written["feed"]["synthetic"]) == set(
        plan_schema.table_keys(plan_schema.find_node(("feed", "synthetic"))[1])
    )


def test_a_missing_plan_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"

    with pytest.raises(PlanError, match="no such file") as caught:
        load_plan(path)

    assert caught.value.place == str(path)
    assert caught.value.remedy


def test_a_directory_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="a directory") as caught:
        load_plan(tmp_path)

    assert caught.value.place == str(tmp_path)
    assert caught.value.remedy


def test_a_plan_is_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(b'[session]\nname = "\xff"\n')

    with pytest.raises(PlanError, match="not UTF-8") as caught:
        load_plan(path)

    assert caught.value.place == f"{path}, byte 18"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("[session]\nname = \n", 2, 8),
        ("[session\n", 1, 9),
        ("[session]\nname = day\n", 2, 8),
        ('[session]\nname = "a"\nname = "b"', 3, 11),
    ],
)
def test_toml_syntax_is_told_by_line_and_column(tmp_path: Path, text: str, line: int, column: int) -> None:
    error = refusal(tmp_path, text)

    assert error.place == f"{tmp_path / 'plan.toml'}, line {line}, column {column}"
    assert error.found
    assert error.remedy


def test_a_number_too_long_to_read_is_a_fault_like_any_other(tmp_path: Path) -> None:
    error = refusal(tmp_path, "x = " + "9" * 5000)

    assert "limit" in error.found


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        (NAMED + "[flwo]\n", "flwo", "Did you mean `flow`?"),
        ("mdoe = 1\n" + NAMED, "mdoe", "Leave it out."),
        (NAMED + "[flow]\ncapasity = 1\n", "[flow] capasity", "Did you mean `capacity`?"),
        (NAMED + "[feed.synthetic]\nsed = 1\n", "[feed.synthetic] sed", "Did you mean `seed`?"),
        (NAMED + f"[[strategies]]\n{USE}[[strategies]]\n{USE}symbol = []\n", "[[strategies]] #2 symbol", "`symbols`?"),
        (NAMED + "capacity = 1\n", "[session] capacity", "`capacity` is a key of [flow]"),
        (NAMED + "[flow]\nseed = 1\n", "[flow] seed", "`seed` is a key of [feed.synthetic]"),
        (NAMED + "[feed]\nevery_s = 1\n", "[feed] every_s", "`every_s` is a key of [[scanners]]"),
        (NAMED + "[flow]\nretries = 64\n", "[flow] retries", "Leave it out."),
        (NAMED + "[guards]\npatience_s = 5\n", "[guards] patience_s", "Leave it out."),
        (NAMED + "[drop_copies]\nport = 1\n", "drop_copies", "Leave it out."),
        (NAMED + '[feed]\nalpaca_api_key = "k"\n', "[feed] alpaca_api_key", "environment"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path, text: str, place: str, remedy: str) -> None:
    error = refusal(tmp_path, text)

    assert error.place == f"{tmp_path / 'plan.toml'}, {place}"
    assert error.found.startswith("unknown ")
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("text", "place", "found", "expected"),
    [
        (NAMED + '[flow]\nwindow = "abc"\n', "[flow] window", '`"abc"` (text)', "a whole number from 1 to 1024"),
        (NAMED + "[flow]\nwindow = 0\n", "[flow] window", "`0` (whole number)", "a whole number from 1 to 1024"),
        (NAMED + "[flow]\nwindow = 1.5\n", "[flow] window", "`1.5` (number)", "a whole number from 1 to 1024"),
        (NAMED + "[flow]\nwindow = true\n", "[flow] window", "`true` (true or false)", "a whole number from 1 to 1024"),
        (NAMED + "[risk]\nmax_daily_loss = nan\n", "[risk] max_daily_loss", "`nan` (number)", "a number ≥ 0"),
        (NAMED + "[risk]\nmax_orders_per_minute = -1\n", "[risk] max_orders_per_minute", "`-1`", "a whole number ≥ 0"),
        (NAMED + "lockstep = 1\n", "[session] lockstep", "`1` (whole number)", "true or false"),
        (NAMED + 'mode = "backtest"\n', "[session] mode", '`"backtest"`', '"replay" or "paper" or "live"'),
        (NAMED + "start = 09:30:00\n", "[session] start", "`09:30:00` (time)", '"HH:MM"'),
        (NAMED + '[feed]\nspeed = "fast"\n', "[feed] speed", '`"fast"`', 'a number > 0, or "max"'),
        (NAMED + "[feed]\nspeed = 0\n", "[feed] speed", "`0`", 'a number > 0, or "max"'),
        (NAMED + "[feed]\nchannels = []\n", "[feed] channels", "`[]` (list)", '"trades", "quotes"'),
        (NAMED + '[feed]\nsymbols = ["SPY", 7]\n', "[feed] symbols item 2", "`7`", "a symbol"),
        (NAMED + '[feed]\nsymbols = ["spy"]\n', "[feed] symbols item 1", '`"spy"`', "a symbol"),
        (NAMED + '[feed]\nsymbols = ["A", "A"]\n', "[feed] symbols", '`["A", "A"]`', "each once"),
        (NAMED + '[feed]\nsymbols = ["*", "A"]\n', "[feed] symbols", '`["*", "A"]`', '["*"] alone'),
        (NAMED + '[feed]\nkind = "tape"\n', "[feed] path", "missing", "a tape"),
        (
            NAMED + '[feed.synthetic]\ndate = "2026-02-30"\n',
            "[feed.synthetic] date",
            '"2026-02-30"',
            "a day that there is",
        ),
        (NAMED + 'date = "2026-02-30"\n', "[session] date", '"2026-02-30"', "a day that there is"),
        (NAMED + "[feed.synthetic]\nsymbols = 20001\n", "[feed.synthetic] symbols", "`20001`", "from 1 to 20000"),
        (NAMED + "[[flow]]\n", "[flow]", "an array of tables", "a table"),
        (NAMED + f"[strategies]\n{USE}", "[[strategies]]", "a table", "an array of tables"),
        (NAMED + '[[strategies]]\nname = "a"\n', "[[strategies]] #1 use", "missing", '"package.module:Class"'),
        (NAMED + '[[scanners]]\nuse = "a.b.C"\n', "[[scanners]] #1 use", '`"a.b.C"`', '"package.module:Class"'),
        (NAMED + '[ledger]\nurl = "sqlite:///{dir}/a.db"\n', "[ledger] url", "{dir}", "{run_dir}"),
        ("", "[session] name", "missing", "text of 1 to 40"),
        ("[session]\n", "[session] name", "missing", "text of 1 to 40"),
        ('[session]\nname = "a b"\n', "[session] name", '`"a b"` (text)', "text of 1 to 40"),
    ],
)
def test_a_value_that_does_not_fit_is_told_in_plain_words(
    tmp_path: Path, text: str, place: str, found: str, expected: str
) -> None:
    error = refusal(tmp_path, text)

    assert error.place == f"{tmp_path / 'plan.toml'}, {place}"
    assert found in error.found
    assert expected in error.expected
    assert error.remedy
    assert "more fault" not in error.remedy


def test_a_quoted_number_is_asked_to_lose_its_quotes(tmp_path: Path) -> None:
    error = refusal(tmp_path, NAMED + '[consumers]\ncount = "2"\n')

    assert error.remedy.startswith("Write it without quotes.")


def test_a_bare_time_is_asked_for_quotes(tmp_path: Path) -> None:
    error = refusal(tmp_path, NAMED + "start = 09:30:00\n")

    assert error.remedy.startswith("Write it in quotes.")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (f"[[strategies]]\n{USE}[[strategies]]\n{USE}", "[[strategies]] #2 name", "[[strategies]] #1 already"),
        ('[[scanners]]\nuse = "a:B"\n[[scanners]]\nuse = "c:B"\n', "[[scanners]] #2 name", "[[scanners]] #1 already"),
        (f'[[strategies]]\n{USE}scanner = "X"\n', "[[strategies]] #1 scanner", "add one under [[scanners]]"),
        (f'[[scanners]]\nuse = "a:B"\n[[strategies]]\n{USE}scanner = "X"\n', "[[strategies]] #1 scanner", 'one of "B"'),
        (f'[[strategies]]\n{USE}scanner = "X"\nsymbols = ["A"]\n', "[[strategies]] #1 symbols", "one of the two"),
        ("[consumers]\nmin = 3\nmax = 2\n", "[consumers] min", "Lower `min` or raise `max`."),
        ("[consumers]\ncount = 9\n", "[consumers] count", "Lower `count` or raise `max`."),
        ("[flow]\ncapacity = 9\nlag_threshold = 10\n", "[flow] lag_threshold", "leave it out"),
        ("[session]\nname = 'a'\nmode = 'live'\n", "[session] mode", 'set mode = "paper"'),
        ("[session]\nname = 'a'\nmode = 'paper'\nlockstep = true\n", "[session] lockstep", "leave `lockstep` out"),
        ("[session]\nname = 'a'\nstart = '10:00'\nstop = '9:30'\n", "[session] stop", '"HH:MM"'),
        ("[session]\nname = 'a'\nstart = '10:00'\nstop = '09:30'\n", "[session] stop", "Move `stop` past `start`"),
    ],
)
def test_keys_that_disagree_are_told_at_their_place(tmp_path: Path, text: str, place: str, words: str) -> None:
    error = refusal(tmp_path, text if "[session]" in text else NAMED + text)

    assert error.place == f"{tmp_path / 'plan.toml'}, {place}"
    assert words in str(error)


def test_of_several_faults_the_first_in_the_file_is_told_and_the_others_counted(tmp_path: Path) -> None:
    error = refusal(tmp_path, "[risk]\nmax_daily_loss = -1\n" + NAMED + "[flow]\nwindow = 0\ncapasity = 1\n")

    assert error.place.endswith("[risk] max_daily_loss")
    assert error.remedy.endswith("(2 more faults in this plan.)")


def test_disagreements_of_one_table_are_all_counted(tmp_path: Path) -> None:
    text = f'{NAMED}[[strategies]]\n{USE}scanner = "X"\n[[strategies]]\n{USE}'

    error = refusal(tmp_path, text)

    assert error.place.endswith("[[strategies]] #1 scanner")
    assert error.remedy.endswith("(1 more fault in this plan.)")


def test_credentials_in_a_url_are_not_repeated(tmp_path: Path) -> None:
    error = refusal(tmp_path, NAMED + '[ledger]\nurl = "postgresql+psycopg://me:hidden@host/db"\n')

    assert "hidden" not in str(error)
    assert "RAYDESK_LEDGER_PASSWORD" in error.remedy


def test_the_value_of_an_unknown_key_is_not_repeated(tmp_path: Path) -> None:
    error = refusal(tmp_path, NAMED + '[broker]\nsecret_key = "hidden"\n')

    assert "hidden" not in str(error)


def test_a_tape_is_looked_for_beside_the_plan_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, current = tmp_path / "plans", tmp_path / "here"
    for folder in (beside, current):
        folder.mkdir()
        (folder / "both.parquet").touch()
    (current / "one.parquet").touch()
    monkeypatch.chdir(current)

    paths = {}
    for written in ("both.parquet", "one.parquet", "o*.parquet", "none.parquet", str(current / "o*.parquet")):
        plan = beside / "plan.toml"
        plan.write_text(f"{NAMED}[feed]\nkind = 'tape'\npath = '{written}'\n")
        paths[written] = load_plan(plan).feed.path

    assert paths["both.parquet"] == str(beside / "both.parquet")
    assert paths["one.parquet"] == str(current / "one.parquet")
    assert paths["o*.parquet"] == str(current / "o*.parquet")
    assert paths["none.parquet"] == str(beside / "none.parquet")
    assert paths[str(current / "o*.parquet")] == str(current / "o*.parquet")


def test_with_settings_the_environment_is_laid_over_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(NAMED + "[consumers]\ncount = 2\n")

    plan = load_plan(path, Settings(num_consumers=5))

    assert plan.consumers.count == 5


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
LOCATIONS = [
    (*table, key)
    for table in plan_schema.tables()
    for key in (*plan_schema.table_keys(plan_schema.find_node(table)[1]), "unheard_of")
]


@given(st.lists(st.tuples(st.sampled_from(LOCATIONS), VALUES), min_size=1, max_size=4))
def test_whatever_stands_anywhere_is_taken_or_told(entries: list[tuple[tuple[str | int, ...], Any]]) -> None:
    raw: dict[str, Any] = {"session": {"name": "day"}}
    for location, value in entries:
        _put(raw, location, value)

    try:
        Plan.model_validate(raw)
    except ValidationError as error:
        told = plan_error("plan.toml", raw, error)

        assert told.place.startswith("plan.toml, ")
        assert all((told.found, told.expected, told.remedy))


def _put(raw: dict[str, Any], location: tuple[str | int, ...], value: object) -> None:
    """Write a value at its place; what stands in the way of a table gives way to it."""
    node: Any = raw
    for part, following in pairwise(location):
        shape = list if isinstance(following, int) else dict
        if isinstance(part, int):
            node[:] = [entry for entry in node if isinstance(entry, dict)] or [{}]
        elif not isinstance(node.get(part), shape):
            node[part] = shape()
        node = node[part]
    if isinstance(location[-1], int):
        node.append(value)
    else:
        node[location[-1]] = value


@given(st.text(max_size=60))
def test_whatever_text_a_file_holds_is_a_plan_or_a_plan_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8", newline="")

    with pytest.raises(PlanError) as caught:
        load_plan(path)

    assert str(path) in caught.value.place


def test_a_byte_order_mark_before_the_plan_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(NAMED, encoding="utf-8-sig")

    assert load_plan(path).session.name == "day"


@pytest.mark.parametrize("written", [r"a\u0000b", "a" * 5000])
def test_text_that_can_be_no_path_is_told_at_its_key(tmp_path: Path, written: str) -> None:
    fault = refusal(tmp_path, NAMED + f'[feed]\nkind = "tape"\npath = "{written}"\n')

    assert fault.place.endswith("[feed] path")
    assert fault.expected == "the path of a tape"
