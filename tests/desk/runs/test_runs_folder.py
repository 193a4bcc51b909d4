"""A new run creates its folder; a finished run is found in it."""

import json
import math
import os
import resource
from pathlib import Path

import pytest

from desk.model.errors import RunFailed, RunFolderError
from desk.runs import RunFolder

NOW_NS = 1_381_152_600_999_999_999  # 2013-10-07 13:30:00.999999999 UTC


def test_a_folder_is_named_by_plan_and_utc_time(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs", None, "opening-range", NOW_NS)

    assert run.dir == tmp_path / "runs" / "opening-range-20131007T133000Z"
    assert run.dir.is_dir()
    assert run.summary == run.dir / "summary.json"
    assert run.ledger == run.dir / "ledger.db"


def test_the_base_is_runs_unless_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    run = RunFolder.create(None, None, "orb", NOW_NS)

    assert run.dir == tmp_path / "runs/orb-20131007T133000Z"
    assert (tmp_path / run.dir).is_dir()


def test_two_runs_within_a_second_have_folders_of_their_own(tmp_path: Path) -> None:
    first, second, third = (RunFolder.create(tmp_path, None, "orb", NOW_NS) for _ in range(3))

    assert len({first.dir, second.dir, third.dir}) == 3


def test_a_name_never_leaves_the_base(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, None, "../my plan/v2", NOW_NS)

    assert run.dir == tmp_path / "..-my-plan-v2-20131007T133000Z"


@pytest.mark.parametrize("made", [True, False])
def test_a_given_folder_may_be_absent_or_empty(tmp_path: Path, made: bool) -> None:
    given = tmp_path / "a" / "b"
    if made:
        given.mkdir(parents=True)

    assert RunFolder.create(tmp_path, given, "orb", NOW_NS).dir == given
    assert given.is_dir()


def test_a_given_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(RunFolderError, match="it is not empty") as caught:
        RunFolder.create(None, tmp_path, "orb", NOW_NS)

    assert caught.value.place == str(tmp_path)
    assert "--run-dir" in caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(RunFolderError, match="it is not a folder"):
        RunFolder.create(None, tmp_path / "notes.txt", "orb", NOW_NS)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(RunFolderError, match="cannot be made"):
        RunFolder.create(None, tmp_path / "notes.txt" / "run", "orb", NOW_NS)


def test_the_summary_is_read_back_by_any_reader_of_the_folder(tmp_path: Path) -> None:
    run = RunFolder.create(None, tmp_path / "run", "orb", NOW_NS)
    summary = {"run_id": "orb", "ok": True, "latency_ms": {"data_latency": None}, "bars": 12, "wall_s": 0.5}

    run.write_summary(summary)

    assert RunFolder.open(tmp_path / "run").read_summary() == summary
    assert run.summary.read_text().startswith('{\n  "run_id": "orb",\n')


def test_the_summary_is_json_for_every_reader(tmp_path: Path) -> None:
    run = RunFolder.create(None, tmp_path / "run", "orb", NOW_NS)

    run.write_summary({"p50": math.nan, "max": math.inf})

    assert json.loads(run.summary.read_text()) == {"p50": None, "max": None}


def test_a_summary_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    run = RunFolder.create(None, tmp_path / "run", "orb", NOW_NS)
    run.write_summary({"ok": True})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))

    try:
        with pytest.raises(RunFailed, match=r"summary.json.*cannot be written: File too large"):
            run.write_summary({"ok": False})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert run.read_summary() == {"ok": True}


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"ok": tr'])
def test_a_folder_without_a_finished_run_is_reported(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_bytes(content)

    with pytest.raises(RunFolderError, match=r"summary.json.* expected the folder of a finished run"):
        RunFolder.open(tmp_path)


def test_nothing_is_left_beside_what_was_written(tmp_path: Path) -> None:
    run = RunFolder.create(None, tmp_path / "run", "orb", NOW_NS)

    run.write_summary({})
    run.write_bars([])
    run.write_decisions([])

    assert sorted(path.name for path in run.dir.iterdir()) == ["bars.parquet", "decisions.parquet", "summary.json"]


def test_a_run_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, None, "orb", NOW_NS)
    run.ledger.touch()

    run.discard()

    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_that_was_given_stays_and_is_empty_again(tmp_path: Path) -> None:
    run = RunFolder.create(None, tmp_path, "orb", NOW_NS)
    run.ledger.touch()

    run.discard()

    assert list(tmp_path.iterdir()) == []


def test_a_run_that_began_is_never_discarded(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, None, "orb", NOW_NS)
    run.log.touch()

    run.discard()

    assert run.log.exists()


def test_a_path_that_is_no_text_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))

    with pytest.raises(RunFolderError, match="its path is not UTF-8"):
        RunFolder.create(None, folder, "day", 0)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b'{"a":' + b"[" * 100_000, None])
def test_a_summary_that_is_nested_without_end_or_a_pipe_is_refused(tmp_path: Path, content: bytes | None) -> None:
    summary = tmp_path / "summary.json"
    if content is None:
        os.mkfifo(summary)
    else:
        summary.write_bytes(content)

    with pytest.raises(RunFolderError, match="it cannot be read"):
        RunFolder.open(tmp_path)


def test_a_resume_file_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "resume.json").write_bytes(b"[" * 100_000)
    tmp_path.chmod(0o700)

    with pytest.raises(RunFolderError, match="it cannot be read"):
        RunFolder.take_up(tmp_path)
