"""The top of an order book, by changed levels."""

from hypothesis import given
from hypothesis import strategies as st

from desk.venues.alpaca.crypto.order_book import MAX_LEVELS, BookTop, OrderBook
from desk.venues.alpaca.crypto.wire import WireLevel

levels = st.lists(st.builds(WireLevel, st.integers(1, 9).map(float), st.integers(0, 3).map(float)), max_size=5)
changes = st.lists(st.tuples(levels, levels, st.booleans()), max_size=12)


@given(changes)
def test_the_top_is_that_of_a_book_kept_by_hand(steps: list[tuple[list[WireLevel], list[WireLevel], bool]]) -> None:
    book, bids, asks = OrderBook(), {}, {}
    for bid_levels, ask_levels, reset in steps:
        if reset:
            bids, asks = {}, {}
        bids |= {level.price: level.size for level in bid_levels}
        asks |= {level.price: level.size for level in ask_levels}
        live_bids = {price: size for price, size in bids.items() if size}
        live_asks = {price: size for price, size in asks.items() if size}
        bid, ask = max(live_bids, default=0.0), min(live_asks, default=0.0)

        found = book.apply(bid_levels, ask_levels, reset=reset)

        assert found == BookTop(bid, live_bids.get(bid, 0.0), ask, live_asks.get(ask, 0.0))


def test_a_book_without_end_keeps_its_better_levels() -> None:
    book = OrderBook()
    many = [WireLevel(float(price), 1.0) for price in range(1, MAX_LEVELS + 2)]

    top = book.apply(many, many, reset=True)

    assert (top.bid, top.ask) == (MAX_LEVELS + 1, 1.0)
    assert len(book.bids) == len(book.asks) == MAX_LEVELS // 2
