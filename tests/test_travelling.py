"""The files that Ray's own commands send: `ray job submit --working-dir .`, and `ray up` with rsync."""

import shutil
import subprocess
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from planted_secrets import PACKAGES, ROOT, copy_project_with_secrets, files_with_secrets

from actors.ray_internals import names
from console.cluster_files import FILES, gather
from desk.model.errors import PlanError


def plans() -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / "configs").glob("*.toml")}


def test_a_plain_job_takes_the_code_and_the_plans_and_nothing_else(tmp_path: Path) -> None:
    project, package = tmp_path / "project", tmp_path / "package.zip"
    code = copy_project_with_secrets(project, ".rayignore", ".gitignore", "pyproject.toml")

    names.CREATE_PACKAGE.get()(str(project), package, True, excludes=names.DEFAULT_EXCLUDES.get()())

    with ZipFile(package) as packed:
        packed.extractall(tmp_path / "there")
        sent = {entry.filename for entry in packed.infolist() if not entry.is_dir()}
    assert sent == code | plans()
    assert files_with_secrets(tmp_path / "there") == []


def test_the_nodes_get_the_code_the_plans_and_what_installs_them(tmp_path: Path) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("no rsync here (apt-get install rsync): `ray up` copies with it")
    project = tmp_path / "project"
    code = copy_project_with_secrets(project, ".gitignore", *FILES)
    cluster: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text("utf-8"))
    mount = project / cluster["file_mounts"]["~/raydesk"]

    gather(project, mount)
    options = {key: cluster[key] for key in ("rsync_exclude", "rsync_filter")}
    filters = names.RSYNC_FILTERS.get()(None, options)
    subprocess.run(["rsync", "-avz", *filters, f"{mount}/", f"{tmp_path}/node/"], check=True, capture_output=True)

    node = tmp_path / "node"
    files = {path.relative_to(node).as_posix() for path in node.rglob("*") if path.is_file()}
    assert files == code | plans() | set(FILES) | {".gathered"}
    assert files_with_secrets(node) == []
    assert mount.stat().st_mode & 0o777 == 0o700


def test_what_was_gathered_is_made_anew_and_nothing_else_is_removed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    copy_project_with_secrets(project, *FILES)
    target = project / "build" / "cluster"
    gather(project, target)
    (target / "desk" / "gone.py").write_text("")

    gather(project, target)

    assert not (target / "desk" / "gone.py").exists()
    with pytest.raises(PlanError, match="was not gathered"):
        gather(project, project / "docs")
    assert (project / "docs").is_dir()


def test_the_list_of_rayignore_names_every_folder_of_code() -> None:
    listed = {
        line.removeprefix("!/") for line in (ROOT / ".rayignore").read_text("utf-8").splitlines() if line[:2] == "!/"
    }

    folders = {path.parent.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert folders <= listed
