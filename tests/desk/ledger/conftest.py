"""Orders to write down."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desk.ledger import SqlLedger


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def opened() -> Iterator[Callable[..., SqlLedger]]:
    """Opens ledgers that are closed when the test ends."""
    ledgers: list[SqlLedger] = []

    def open_(url: str, **options: object) -> SqlLedger:
        ledgers.append(SqlLedger(url, **options))
        return ledgers[-1]

    yield open_
    for ledger in ledgers:
        ledger.close()
