"""A finished run's files are copied whole, the summary last, and never over another run's files."""

from pathlib import Path

import pytest
from s3_server import S3Server

from desk.model.errors import CredentialsError, RunFailed
from desk.runs import RunFolder
from desk.runs.results_copy import copy_results


def a_run(folder: Path, url: str, started_ns: int = 1) -> RunFolder:
    """A folder with a summary and bars."""
    run = RunFolder.create(None, folder / "demo", "demo", 0)
    run.results_url = url
    run.write_summary({"started_ns": started_ns})
    run.write_bars([])
    return run


def test_files_go_into_a_folder_of_the_run_s_name(tmp_path: Path) -> None:
    run = a_run(tmp_path / "here", f"file://{tmp_path}/there/deep")

    url = copy_results(run, [run.bars])

    copied = tmp_path / "there" / "deep" / "demo"
    assert url == f"file://{copied}"
    assert sorted(path.name for path in copied.iterdir()) == ["bars.parquet", "summary.json"]
    assert (copied / "bars.parquet").read_bytes() == run.bars.read_bytes()


def test_a_store_takes_them_too(tmp_path: Path, s3: S3Server) -> None:
    run = a_run(tmp_path, s3.url("desk/runs"))

    url = copy_results(run, [run.bars])

    assert url == "s3://desk/runs/demo"
    assert list(s3.objects["desk"]) == ["runs/demo/bars.parquet", "runs/demo/summary.json"]
    assert s3.objects["desk"]["runs/demo/summary.json"] == run.summary.read_bytes()


def test_the_same_run_may_be_copied_again(tmp_path: Path, s3: S3Server) -> None:
    run = a_run(tmp_path, s3.url("desk"))
    copy_results(run, [])
    run.write_summary({"started_ns": 1, "warnings": ["late"]})

    copy_results(run, [])

    assert b"late" in s3.objects["desk"]["demo/summary.json"]


@pytest.mark.parametrize("content", [b'{"started_ns": 2}', b"no summary at all"])
def test_another_run_s_results_are_never_overwritten(tmp_path: Path, s3: S3Server, content: bytes) -> None:
    s3.objects["desk"]["demo/summary.json"] = content
    run = a_run(tmp_path, s3.url("desk"))

    with pytest.raises(RunFailed, match="another run's results are there") as caught:
        copy_results(run, [run.bars])

    assert caught.value.place == "s3://desk/demo"
    assert s3.objects["desk"] == {"demo/summary.json": content}


def test_a_place_that_takes_nothing_is_reported(tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "note").write_text("no folder")
    run = a_run(tmp_path, f"file://{tmp_path}/note")

    with pytest.raises(RunFailed, match="note"):
        copy_results(run, [])

    run.results_url = s3.url("nobucket/runs")
    with pytest.raises(RunFailed, match="NO_SUCH_BUCKET"):
        copy_results(run, [])

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OTHER")
    run.results_url = s3.url("desk/runs")
    with pytest.raises(CredentialsError, match="ACCESS_DENIED"):
        copy_results(run, [])
