"""URLs in a plan: the accepted ones, and the refusal of a URL with a secret, which is not shown."""

from pathlib import Path

import pytest

from desk.config import load_plan
from desk.model.errors import PlanError

NAMED = '[session]\nname = "day"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(NAMED + text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> PlanError:
    with pytest.raises(PlanError) as caught:
        load_plan(written(folder, text))
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{run_dir}/ledger.db",
        "sqlite:////data/a%20b#c/x.db?timeout=5",
        "sqlite:///file:/data/x.db?uri=true&mode=rwc",
        "postgresql+psycopg://me@host/db",
        "postgresql+psycopg:///db?host=/run",
    ],
)
def test_a_ledger_stands_in_a_file_or_on_a_server(tmp_path: Path, url: str) -> None:
    assert load_plan(written(tmp_path, f'[ledger]\nurl = "{url}"\n')).ledger.url == url


@pytest.mark.parametrize("url", ["sqlite:////data/a?b/x.db", "sqlite:///x.db?mode=ro", "sqlite:///{run_dir}?/x.db"])
def test_what_sqlite_would_leave_out_of_a_url_is_refused(tmp_path: Path, url: str) -> None:
    error = refusal(tmp_path, f'[ledger]\nurl = "{url}"\n')

    assert "which is not an option of SQLite" in error.found
    assert "{run_dir}" in error.remedy


@pytest.mark.parametrize("url", ["", "s3://bucket/runs", "gs://bucket", "file:///srv/runs", "hdfs://node:8020/runs"])
def test_results_go_where_a_store_is(tmp_path: Path, url: str) -> None:
    assert load_plan(written(tmp_path, f'[results]\nurl = "{url}"\n')).results.url == url


@pytest.mark.parametrize("url", ["s3://bucket/day.parquet", "file:///tapes/*.parquet", "ftp://host/day"])
def test_a_tape_s_url_stays_what_it_is(tmp_path: Path, url: str) -> None:
    assert load_plan(written(tmp_path, f'[feed]\nkind = "tape"\npath = "{url}"\n')).feed.path == url


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ('[ledger]\nurl = "mysql://me@host/db"\n', "[ledger] url", "postgresql+psycopg://user@host/database"),
        ('[ledger]\nurl = "postgresql://me@host/db"\n', "[ledger] url", "postgresql+psycopg://user@host/database"),
        ('[results]\nurl = "/srv/runs"\n', "[results] url", "s3://bucket/folder"),
        ('[results]\nurl = "ftp://host/runs"\n', "[results] url", "s3://bucket/folder"),
        ('[results]\nurl = "file:///srv/{name}"\n', "[results] url", "s3://bucket/folder"),
        ('[results]\nurl = "file:///srv/rés"\n', "[results] url", "s3://bucket/folder"),
        ('[results]\nurl = "file:///srv/r[1]"\n', "[results] url", "s3://bucket/folder"),
        ('[results]\nurl = "file:///srv/r%zz"\n', "[results] url", "s3://bucket/folder"),
        ('[results]\nurl = "file:///srv/r?x"\n', "[results] url", "s3://bucket/folder"),
        ('[results]\nurl = "file:///srv/r#y"\n', "[results] url", "s3://bucket/folder"),
    ],
)
def test_other_urls_are_refused(tmp_path: Path, text: str, place: str, expected: str) -> None:
    error = refusal(tmp_path, text)

    assert error.place.endswith(place)
    assert expected in error.expected


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ('[ledger]\nurl = "postgresql+psycopg://me:hid/den@host/db"\n', "RAYDESK_LEDGER_PASSWORD"),
        ('[ledger]\nurl = "postgresql+psycopg://me@host/db?password=hidden"\n', "RAYDESK_LEDGER_PASSWORD"),
        ('[ledger]\nurl = "postgres://me:hid/den@host/db"\n', ""),
        ('[ledger]\nurl = "postgres://host/db?password=hidden"\n', ""),
        ('[results]\nurl = "s3://key:hid/den@bucket/runs"\n', "docs/how-to/storage.md"),
        ('[results]\nurl = "ftp://key:hid/den@bucket/runs"\n', ""),
        ('[feed]\nkind = "tape"\npath = "s3://key:hid/den@bucket/day"\n', "docs/how-to/storage.md"),
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_shown(tmp_path: Path, text: str, remedy: str) -> None:
    error = refusal(tmp_path, text)

    assert "hid" not in str(error)
    assert remedy in error.remedy


LIVE = '[session]\nname = "p"\nmode = "paper"\n[feed]\nkind = "alpaca"\nurl = "{}"\nsymbols = ["A"]\n'


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:7788/v2/sip",
        "ws://127.9.9.9/v2/sip",
        "ws://localhost:7788/v2/sip",
        "ws://[::1]:7788/v2/sip",
        "wss://stream.example/v2/sip",
        "",
    ],
)
def test_keys_go_to_this_machine_or_encrypted(tmp_path: Path, url: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(LIVE.format(url))

    assert load_plan(path).feed.url == url


@pytest.mark.parametrize(
    "url",
    [
        "ws://stream.example/v2/sip",
        "ws://10.0.0.5:7788/v2/sip",
        "ws://0.0.0.0:7788/v2/sip",
        "ws://127.0.0.1.stream.example/v2/sip",
        "ws://localhost.stream.example/v2/sip",
        "ws://venue.localhost/v2/sip",
        "ws://2130706433/v2/sip",
        "ws://[fe80::1]/v2/sip",
    ],
)
def test_keys_never_go_unencrypted_to_another_machine_unless_the_plan_says_so(tmp_path: Path, url: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(LIVE.format(url))

    with pytest.raises(PlanError) as refused:
        load_plan(path)
    path.write_text(LIVE.format(url) + "allow_plain = true\n")

    assert refused.value.place == f"{path}, [feed] url"
    assert "key and secret would be sent unencrypted to another machine" in refused.value.found
    assert "allow_plain = true" in refused.value.remedy
    assert load_plan(path).feed.allow_plain


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:99999/",
        "ws://[bad/v2/sip",
        "wss://[::1",
        "wss://venue.example:abc/v2",
        "ws://127.0.0.1:0/",
        "wss://[x]/",
    ],
)
def test_a_venue_s_host_and_port_are_ones_that_there_can_be(tmp_path: Path, url: str) -> None:
    refused = refusal(tmp_path, f'[feed]\nkind = "alpaca"\nurl = "{url}"\n')

    assert refused.place.endswith("[feed] url")
    assert refused.remedy == "Correct the host or the port."
