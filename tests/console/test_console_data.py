"""`desk data` as a command: the catalog's folder, lists, gaps and errors."""

from datetime import date
from pathlib import Path

import pytest
from steady_history import SteadyHistory
from typer.testing import CliRunner, Result

from console.cli import app
from console.commands.data import source_of
from desk.config import Plan
from desk.tape.catalog import Catalog
from desk.wiring.data_download import download, trading_days
from desk.wiring.exchange_days import ExchangeDays


def desk(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYDESK_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_an_empty_catalog_says_where_it_is(folder: Path) -> None:
    done = desk("data", "ls")

    assert done.exit_code == 0
    assert str(folder) in done.stdout.replace("\n", "")


def test_the_catalog_and_its_gaps_are_listed(folder: Path) -> None:
    days = trading_days(ExchangeDays("XNYS"), date(2026, 1, 5), date(2026, 1, 7))
    catalog = Catalog(folder)
    list(download(SteadyHistory(), catalog, "made-up", ["AA"], days, ("bars",), 2 * 10**18))
    catalog.path("made-up", "bars", date(2026, 1, 6), "AA").unlink()

    listed, gaps = desk("data", "ls"), desk("data", "gaps")

    assert "made-up" in listed.stdout
    assert "2026-01-07" in listed.stdout
    assert "made-up bars AA: missing 2026-01-06" in gaps.stdout


def test_a_damaged_file_is_named(folder: Path) -> None:
    path = Catalog(folder).path("made-up", "bars", date(2026, 1, 6), "AA")
    path.parent.mkdir(parents=True)
    path.write_text("no table")

    done = desk("data", "ls")

    assert done.exit_code == 2
    assert "get it again" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("AA", "--from", "yesterday", "--to", "2026-01-05"), 2, "a date, as 2026-01-05"),
        (("AA", "--from", "2026-01-05", "--to", "2026-01-05"), 3, "ALPACA_API_KEY"),
    ],
)
def test_a_request_that_cannot_be_made_is_one_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, words: str
) -> None:
    if status == 2:
        monkeypatch.setenv("ALPACA_API_KEY", "key")
        monkeypatch.setenv("ALPACA_SECRET_KEY", "secret")

    done = desk("data", "get", *arguments)

    assert done.exit_code == status, done.output
    assert words in done.stderr
    assert not folder.exists()


@pytest.mark.parametrize(
    ("feed", "source"),
    [
        ({"kind": "alpaca"}, "alpaca-iex"),
        ({"kind": "alpaca", "name": "iex"}, "alpaca-iex"),
        ({"kind": "alpaca", "url": "ws://127.0.0.1:7788/v2/sip"}, "alpaca-sip"),
        ({"kind": "polygon"}, "polygon-realtime"),
    ],
)
def test_the_same_stream_has_one_folder_in_the_catalog(feed: dict[str, str], source: str) -> None:
    plan = Plan.model_validate({"session": {"name": "a", "mode": "paper"}, "feed": feed})

    assert source_of(plan) == source
