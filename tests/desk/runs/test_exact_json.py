"""Values of a TOML plan survive resume.json exactly."""

import json
import tomllib
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.errors import RunFolderError
from desk.model.session import Session
from desk.runs.exact_json import from_json, to_json
from desk.runs.resume_file import ResumeFile, ResumeState

SESSION = Session("s", "2026-01-05", "UTC", 0, None, None, (), (), history=False, lockstep=True)
zones = st.one_of(
    st.none(), st.just(UTC), st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
)
times = st.one_of(st.times(), st.datetimes(timezones=zones)).map(lambda at: at.replace(fold=0))
scalars = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(), st.dates(), times)
keys = st.one_of(st.text(), st.sampled_from(["$float", "$table", "$date", "$other"]))
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)


@given(values)
def test_every_value_of_toml_is_read_back_as_it_was(value: Any) -> None:
    text = json.dumps(to_json(value), allow_nan=False)

    back = from_json(json.loads(text))

    assert repr(back) == repr(value)  # NaN equals itself in no other way


@given(st.dictionaries(keys, values))
def test_the_params_of_a_run_come_back_from_its_resume_file(
    tmp_path_factory: pytest.TempPathFactory, params: dict[str, Any]
) -> None:
    file = ResumeFile(tmp_path_factory.getbasetemp() / "resume.json")
    plan = {"strategies": [{"params": params}], "scanners": [{"params": params}]}

    file.write(ResumeState(plan, in_process=True, started_ns=1, session=SESSION))

    assert repr(file.read().plan) == repr(plan)


def test_what_a_plan_may_hold_and_json_may_not_is_kept() -> None:
    table = tomllib.loads(
        "a = inf\nb = -inf\nc = nan\nd = 15:45:00.000001\ne = 2026-01-05\nf = 2026-01-05T09:30:00\n"
        "g = 2026-01-05T09:30:00-05:00\nh = 123456789012345678901234567890\ni = [inf, { x = nan }]\n"
    )

    back = from_json(json.loads(json.dumps(to_json(table), allow_nan=False)))

    assert repr(back) == repr(table)
    assert back["d"] == time(15, 45, 0, 1)
    assert back["e"] == date(2026, 1, 5)
    assert back["g"] == datetime.fromisoformat("2026-01-05T09:30:00-05:00")


@pytest.mark.parametrize("version", [1, 2])
def test_a_resume_file_of_an_earlier_release_is_refused(tmp_path: Path, version: int) -> None:
    file = ResumeFile(tmp_path / "resume.json")
    file.path.write_text(json.dumps({"version": version, "plan": {}, "in_process": True, "session": {}}))

    with pytest.raises(RunFolderError, match=rf"another format \({version}\)") as caught:
        file.read()

    assert "the release of the desk that began it" in caught.value.remedy


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 3}', '{"version": "3"}', "\udcff"])
def test_a_damaged_resume_file_is_reported(tmp_path: Path, content: str) -> None:
    file = ResumeFile(tmp_path / "resume.json")
    file.path.write_bytes(content.encode(errors="surrogateescape"))

    with pytest.raises(RunFolderError, match=r"it cannot be read|another key"):
        file.read()
