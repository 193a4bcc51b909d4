from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def few_trades_are_remembered() -> Iterator[None]:
    """So that short sessions in tests have trades that leave the memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("desk.bars.remembered_trades.MOST", 7)
        patch.setattr("desk.bars.remembered_trades.AT_ONCE", 3)
        yield
