"""The folder for Ray's sockets: Ray's own where it serves, else a short and private one that is removed."""

import stat
from pathlib import Path

import pytest

from actors.ray_folder import MOST_BYTES, RayFolder
from desk.model.errors import PlanError


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.delenv("TMPDIR", raising=False)


def test_rays_own_folder_serves_where_nothing_else_is_said() -> None:
    assert RayFolder().path is None


@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
def test_a_folder_that_is_too_long_makes_way_for_a_short_private_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    long = tmp_path / ("a" * MOST_BYTES)
    long.mkdir()
    monkeypatch.setenv(variable, str(long))

    folder = RayFolder()

    assert folder.path is not None
    assert len(folder.path) <= MOST_BYTES
    assert stat.S_IMODE(Path(folder.path).stat().st_mode) == 0o700
    assert folder.why == f"{variable}={long} is too long for sockets below it"
    folder.close()
    assert not Path(folder.path).exists()


@pytest.mark.parametrize("said", ["/nowhere/at/all", "relative", "/dev/null", ""])
def test_a_folder_that_cannot_be_used_makes_way_too(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("TMPDIR", said)

    folder = RayFolder()

    assert folder.path is not None
    folder.close()


def test_where_no_short_folder_can_be_made_the_variable_to_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")

    with pytest.raises(PlanError) as told:
        RayFolder(short=("/nowhere/else",))

    assert told.value.place == "environment, TMPDIR"
    assert told.value.remedy == "Set RAY_TMPDIR to such a folder."
