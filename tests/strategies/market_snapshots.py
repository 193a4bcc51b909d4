"""Market snapshots for tests of scanners."""

from collections.abc import Sequence
from math import isnan

from hypothesis import strategies as st

from desk import testing
from desk.scanner import MarketSnapshot

NAN = float("nan")


def market(
    symbols: Sequence[str],
    price: Sequence[float],
    opened: Sequence[float] | None = None,
    minute_volume: Sequence[Sequence[float]] = (),
) -> MarketSnapshot:
    """`minute_volume`: rows are minutes, oldest first, the last still open; columns are symbols."""
    volume = zip(*minute_volume, strict=True) if minute_volume else [()] * len(symbols)
    columns = zip(symbols, price, price if opened is None else opened, volume, strict=True)
    return testing.market(
        testing.MarketRow(symbol=symbol, price=now, open=first, trades=int(not isnan(now)), minute_volume=minutes)
        for symbol, now, first, minutes in columns
    )


def backwards(snapshot: MarketSnapshot) -> MarketSnapshot:
    """The same market with its symbols in the opposite order."""
    names = [name for name in snapshot.__struct_fields__ if name not in ("now_ns", "symbols")]
    arrays = {name: getattr(snapshot, name)[..., ::-1] for name in names}
    return MarketSnapshot(now_ns=snapshot.now_ns, symbols=snapshot.symbols[::-1], **arrays)


PRICES = st.one_of(st.just(NAN), st.floats(0.01, 10_000.0))


@st.composite
def markets(draw: st.DrawFn) -> MarketSnapshot:
    """Any market of a few symbols, some of which have not traded."""
    symbols = draw(st.lists(st.sampled_from("ABCDEFGH"), unique=True, max_size=8))
    count = len(symbols)
    price = draw(st.lists(PRICES, min_size=count, max_size=count))
    opened = [NAN if isnan(each) else draw(st.floats(0.01, 10_000.0)) for each in price]
    row = st.lists(st.sampled_from([0.0, 1.0, 100.0, 5_000.0]), min_size=count, max_size=count)
    return market(symbols, price, opened, draw(st.lists(row, max_size=12)))
