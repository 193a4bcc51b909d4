"""The run folder's path in the ledger's URL is taken literally, with all special characters."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.ledger import SqlLedger, ledger_url
from desk.ledger.ledger_copy import copy_ledger

DEFAULT = "sqlite:///{run_dir}/ledger.db"
ODD = ("a?b", "a%20b", "a#b", "a b", "é€", "q'u\"o", "{run_dir}", "{x}", "n\nl", "a&b=c", "x?timeout=5", ":memory:")


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("written", [DEFAULT, "sqlite:///file:{run_dir}/ledger.db?uri=true", DEFAULT + "?timeout=7"])
def test_the_ledger_is_in_the_run_folder_whatever_it_is_called(tmp_path: Path, name: str, written: str) -> None:
    folder = tmp_path / name
    folder.mkdir()

    SqlLedger(ledger_url(written, folder)).close()
    copy_ledger(folder / "ledger.db", folder / "copy.db")

    assert list(tmp_path.iterdir()) == [folder]
    with closing(sqlite3.connect(folder / "copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM orders").fetchone() == (0,)


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0/"), min_size=1))
def test_the_path_stands_in_the_url_as_it_is(name: str) -> None:
    folder = Path("/runs", name)

    assert ledger_url(DEFAULT, folder).database == f"{folder}/ledger.db"


def test_a_server_has_no_run_folder() -> None:
    written = "postgresql+psycopg://user@host/book?options=-csearch_path%3Ddesk"

    assert ledger_url(written, Path("/runs/x")).render_as_string() == written
