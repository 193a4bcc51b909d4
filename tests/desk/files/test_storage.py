"""URLs of stores: an error of a store is one DeskError with a remedy and without secrets."""

from pathlib import Path

import pytest
from pyarrow import fs
from s3_server import S3Server

from desk.files import storage
from desk.model.errors import CredentialsError, RunFailed, TapeError


def test_a_place_is_named_without_its_options(s3: S3Server) -> None:
    place = storage.storage_path(s3.url("desk/runs/"), RunFailed) / "demo" / "summary.json"

    assert place.url == "s3://desk/runs/demo/summary.json"
    assert place.path == "desk/runs/demo/summary.json"


def test_a_file_url_is_a_path_on_this_machine(tmp_path: Path) -> None:
    place = storage.storage_path(f"file://{tmp_path}/a%20b", RunFailed)

    assert place.path == f"{tmp_path}/a b"
    assert isinstance(place.filesystem, fs.LocalFileSystem)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("ftp://host/day", "unknown scheme `ftp`"),
        ("S3://bucket/day", "unknown scheme `S3`"),
        ("s3:///day", "Missing bucket name"),
        ("s3://bucket/day?regoin=x", "regoin"),
        ("file://host/day", "hostname"),
    ],
)
def test_what_is_no_such_url_is_reported(url: str, found: str) -> None:
    with pytest.raises(TapeError) as caught:
        storage.storage_path(url, TapeError)

    assert found in caught.value.found
    assert "Correct the URL" in caught.value.remedy


@pytest.mark.parametrize("url", ["s3://key:hid/den@bucket/day", "s3://key:hidden@bucket/day", "ftp://a:hidden@b"])
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(TapeError, match="credentials in the URL") as caught:
        storage.storage_path(url, TapeError)

    assert "hid" not in str(caught.value)


@pytest.mark.parametrize("key", ["OTHER", None])
def test_credentials_that_are_refused_or_missing_are_reported(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    if key is None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    else:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    place = storage.storage_path(s3.url("desk/day"), TapeError)

    with (
        pytest.raises(CredentialsError, match="ACCESS_DENIED") as caught,
        storage.translate_storage_errors(place.url, TapeError),
    ):
        place.filesystem.get_file_info(place.path)

    assert caught.value.exit_status == 3
    assert caught.value.place == "s3://desk/day"


def test_a_store_that_is_away_is_no_fault_of_the_input() -> None:
    told = storage.storage_error(
        "s3://b/x", TapeError, OSError("AWS Error NETWORK_CONNECTION during HeadObject: curlCode: 7")
    )

    assert isinstance(told, RunFailed)
    assert told.expected == "a store that answers"
    assert "--resume" in told.remedy


def test_google_s_client_does_not_try_for_a_quarter_of_an_hour() -> None:
    assert storage._bounded("gs://bucket/day") == "gs://bucket/day?retry_limit_seconds=30"
    assert storage._bounded("gs://bucket/day?retry_limit_seconds=5") == "gs://bucket/day?retry_limit_seconds=5"
    assert storage._bounded("s3://bucket/day") == "s3://bucket/day"
