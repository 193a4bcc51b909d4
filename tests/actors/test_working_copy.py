"""The files sent to a cluster are those of the allow-list, without outside links and without secrets."""

import os
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from actors.jobs.confidential import is_named_like_a_secret
from actors.jobs.working_copy import MOST_BYTES, WorkingCopy
from actors.ray_internals import names
from desk.config import load_settings
from desk.config.redaction import known_secrets
from desk.model.errors import PlanError

KEY = "PK-my-own-key-0123"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with data, a home folder with the cluster's token, and a key in the environment."""
    made = tmp_path / "project"
    (made / "data").mkdir(parents=True)
    (made / "data" / "day.csv").write_text("1")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("abcdef0123456789\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALPACA_API_KEY", KEY)
    for name in ("RAYDESK_SECRETS_DIR", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return made


def copy_of(folder: Path) -> WorkingCopy:
    return WorkingCopy(folder, known_secrets(load_settings()))


def a_link_out(folder: Path) -> str:
    (folder / "data" / "link").symlink_to("/etc/hostname")
    return "it is a link out of the project, to /etc/hostname"


def a_linked_folder(folder: Path) -> str:
    (folder / "data" / "link").symlink_to("/etc")
    return "it is a link out of the project, to /etc"


def a_secret_by_name(folder: Path) -> str:
    (folder / "data" / "prod.env").write_text("")
    return "it is named like a secret, and would be uploaded to the cluster"


def a_private_key(folder: Path) -> str:
    (folder / "data" / "host").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    return "it holds a private key, and would be uploaded to the cluster"


def a_known_secret(folder: Path) -> str:
    (folder / "data" / "notes.txt").write_text(f"key: {KEY}\n")
    return "it holds the value of ALPACA_API_KEY, and would be uploaded to the cluster"


def the_clusters_token(folder: Path) -> str:
    (folder / "data" / "notes.txt").write_text("token: abcdef0123456789\n")
    return "it holds the value of RAY_AUTH_TOKEN_PATH"


def a_pipe(folder: Path) -> str:
    os.mkfifo(folder / "data" / "pipe")
    return "it is no regular file"


@pytest.mark.parametrize(
    "plant_it",
    [a_link_out, a_linked_folder, a_secret_by_name, a_private_key, a_known_secret, the_clusters_token, a_pipe],
)
def test_an_included_folder_with_what_must_not_go_is_refused(folder: Path, plant_it: Callable[[Path], str]) -> None:
    told = plant_it(folder)

    with pytest.raises(PlanError) as refused:
        copy_of(folder).include("data")

    assert told in refused.value.found
    assert KEY not in str(refused.value)


def test_a_file_that_the_user_names_goes_whatever_it_holds(folder: Path) -> None:
    (folder / "prod.env").write_text(KEY)
    copy = copy_of(folder)

    copy.include("prod.env")

    assert copy.bytes_by_file == {Path("prod.env"): len(KEY)}


@pytest.mark.parametrize("path", ["../mine.txt", "/etc/hostname", "absent", "data/../../mine.txt"])
def test_what_lies_outside_or_is_absent_cannot_be_included(folder: Path, path: str) -> None:
    (folder.parent / "mine.txt").write_text("")

    with pytest.raises(PlanError):
        copy_of(folder).include(path)


def test_links_within_the_folder_are_followed_and_those_without_end_are_not(folder: Path) -> None:
    (folder / "data" / "again.csv").symlink_to("day.csv")
    (folder / "more").mkdir()
    (folder / "more" / "b.csv").write_text("")
    (folder / "data" / "more").symlink_to("../more")
    (folder / "data" / "endless").symlink_to(".")
    copy = copy_of(folder)

    copy.include("data")

    assert sorted(map(str, copy.bytes_by_file)) == ["data/again.csv", "data/day.csv", "data/more/b.csv"]


def test_ray_packs_the_copy_whole_whatever_ignore_files_say(folder: Path, tmp_path: Path) -> None:
    for name in (".gitignore", ".rayignore", "data/.gitignore", "data/.rayignore"):
        (folder / name).write_text("*\n")
    copy = copy_of(folder)
    copy.include("data")
    package = tmp_path / "package.zip"

    with copy.copied() as made:
        mode = made.stat().st_mode & 0o777
        names.CREATE_PACKAGE.get()(str(made), package, True, excludes=names.DEFAULT_EXCLUDES.get()())

    with ZipFile(package) as packed:
        assert [entry.filename for entry in packed.infolist() if not entry.is_dir()] == ["data/day.csv"]
    assert mode == 0o700
    assert not made.exists()


@pytest.mark.parametrize("name", [".venv/a.py", "__pycache__/a.py", "venv/a.py"])
def test_what_ray_would_leave_out_by_its_name_is_refused(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir()
    (folder / name).write_text("")

    with pytest.raises(PlanError, match="Ray excludes files of this name"):
        copy_of(folder).include(name)


def test_one_that_is_too_large_is_refused_with_the_biggest_names(folder: Path) -> None:
    sizes = {"desk/model.py": 3, "data/note.txt": 2, "plan.toml": 1}
    for name, size in sizes.items():
        (folder / name).parent.mkdir(exist_ok=True)
        with (folder / name).open("wb") as file:
            file.truncate(size * MOST_BYTES // 5)
    copy = copy_of(folder)
    for name in sizes:
        copy.add(folder / name)

    with pytest.raises(PlanError) as told:
        copy.require_small()

    assert "desk/ 30.0 MiB, data/ 20.0 MiB, plan.toml 10.0 MiB" in told.value.found
    assert "50.0 MiB" in told.value.expected


@pytest.mark.parametrize(
    "name",
    [
        "ALPACA_SECRET_KEY",
        "ray_auth_token",
        ".pgpass",
        "deploy.key",
        "id_rsa",
        "id_ed25519.pub",
        ".aws/credentials",
        "prod.env",
        "env.prod",
        ".env.local",
        "secrets/x.txt",
        "Passwords.csv",
        "my_tokens.py",
        "host.pem",
        "store.p12",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_named_like_a_secret(Path(name))


@pytest.mark.parametrize(
    "name", ["key_levels.py", "tokenizer.py", "keys.py", "envelope.csv", "monkey.json", "a.parquet"]
)
def test_names_of_no_secrets(name: str) -> None:
    assert not is_named_like_a_secret(Path(name))
