"""What goes to a cluster is what Ray packs."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from ray._private.ray_constants import get_runtime_env_default_excludes
from ray._private.runtime_env.packaging import create_package

from actors.working_copy import MOST_BYTES, WorkingCopy
from desk.model.errors import PlanError

FILES = (
    "plan.toml",
    "desk/model.py",
    "desk/__pycache__/model.pyc",
    "data/.rayignore",
    "data/day.parquet",
    "data/kept/note.txt",
    "runs/one/summary.json",
    "notes.log",
    ".venv/bin/python",
    ".git/HEAD",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in FILES:
        path = tmp_path / "project" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    root = tmp_path / "project"
    (root / ".gitignore").write_text("*.log\n__pycache__/\n")
    (root / ".rayignore").write_text("# results\n/runs/\n")
    (root / "data" / ".rayignore").write_text("*.parquet\n")
    (root / "link.toml").symlink_to("plan.toml")
    (root / "nowhere").symlink_to("absent")
    return root


@pytest.mark.parametrize("honours_gitignore", [True, False])
def test_it_has_the_files_of_the_package_that_ray_makes(
    folder: Path, tmp_path: Path, honours_gitignore: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_RUNTIME_ENV_IGNORE_GITIGNORE", "0" if honours_gitignore else "1")
    package = tmp_path / "package.zip"
    create_package(str(folder), package, honours_gitignore, excludes=get_runtime_env_default_excludes())

    copy = WorkingCopy(folder)

    with ZipFile(package) as packed:
        assert {file.as_posix(): size for file, size in copy.bytes_by_file.items()} == {
            entry.filename: entry.file_size for entry in packed.infolist()
        }
    assert (folder / "notes.log" in copy) is not honours_gitignore
    assert folder / "data" / "kept" in copy
    assert folder / "runs" / "one" not in copy
    assert tmp_path not in copy


def test_of_this_project_the_code_goes_and_nothing_else() -> None:
    copy = WorkingCopy(Path(__file__).resolve().parents[2])

    top = {file.parts[0] for file in copy.bytes_by_file}
    assert top >= {"actors", "console", "desk", "strategies", "configs", "pyproject.toml", "constraints.txt"}
    assert not top & {"tests", "docs", "benchmarks", "runs", ".git", ".venv"}


def test_one_that_is_too_large_is_refused_with_the_biggest_names(folder: Path) -> None:
    for name, size in (("desk/model.py", 3), ("data/kept/note.txt", 2), ("plan.toml", 1)):
        with (folder / name).open("wb") as file:
            file.truncate(size * MOST_BYTES // 5)

    with pytest.raises(PlanError) as told:
        WorkingCopy(folder).require_small()

    assert "desk/ 30.0 MiB, data/ 20.0 MiB, plan.toml 10.0 MiB" in told.value.found
    assert "50.0 MiB" in told.value.expected
