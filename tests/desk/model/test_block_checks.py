import pytest
from market_rows import NAN, BlockRow, BlockRows, quote

from desk.model.block_checks import CAUSES, rejection_causes, row_classes
from desk.model.ticks import CLASSES


def cause_of(line: BlockRow) -> str:
    (block,) = BlockRows([line]).blocks()
    return CAUSES[int(rejection_causes(block)[0])]


@pytest.mark.parametrize(
    "line",
    [
        BlockRow(0),
        BlockRow(0, conditions=None),
        BlockRow(0, lag_ms=-5),
        quote(0),
        quote(0, bid=0.0),
        quote(0, ask=0.0, ask_size=0.0),
    ],
)
def test_a_sound_row_has_no_cause(line: BlockRow) -> None:
    assert cause_of(line) == ""


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (BlockRow(0, price=NAN), "price"),
        (BlockRow(0, price=0.0), "price"),
        (BlockRow(0, price=-1.0), "price"),
        (BlockRow(0, price=float("inf")), "price"),
        (BlockRow(0, size=NAN), "size"),
        (BlockRow(0, size=-1.0), "size"),
        (BlockRow(0, size=0.0), "size"),
        (BlockRow(0, size=0.0, conditions="M"), "size"),
        (BlockRow(0, ts_ns=0), "time"),
        (BlockRow(0, ts_ns=-1), "time"),
        (BlockRow(0, ts_ns=2**63 - 1), "time"),
        (BlockRow(0, lag_ms=-86_400_001), "time"),
        (BlockRow(0, symbol=None), "symbol"),
        (BlockRow(0, symbol=""), "symbol"),
        (BlockRow(0, kind="other"), "kind"),
        (quote(0, bid=NAN), "price"),
        (quote(0, ask=-0.01), "price"),
        (quote(0, bid_size=NAN), "size"),
        (BlockRow(0, symbol=None, price=NAN, size=NAN), "symbol"),
    ],
)
def test_a_malformed_row_has_the_gravest_cause(line: BlockRow, cause: str) -> None:
    assert cause_of(line) == cause


def test_an_unknown_kind_counts_as_a_trade_if_it_has_a_price() -> None:
    (block,) = BlockRows([BlockRow(0), quote(0), BlockRow(0, kind="other"), quote(0, kind="other")]).blocks()  # type: ignore[arg-type]

    assert [CLASSES[number] for number in row_classes(block)] == ["trades", "quotes", "trades", "quotes"]
