"""Identities of trades from the venue's history, encoded and decoded."""

from hypothesis import given
from hypothesis import strategies as st

from desk.bars.minute_repair import complete_minute
from desk.bars.trade_identity import identity, pack_identities, unpack_identities
from desk.model.ticks import Trade

IDS = st.integers(1, 2**64 - 1)
VENUES = st.sampled_from(["", "V", "Q"])


@given(st.lists(st.tuples(IDS, VENUES, VENUES, st.integers(0, 2**62))))
def test_identities_come_back_with_the_time_until_which_they_are_remembered(
    found: list[tuple[int, str, str, int]],
) -> None:
    until_ns = {identity(trade_id, exchange, tape): limit_ns for trade_id, exchange, tape, limit_ns in found}

    assert unpack_identities(pack_identities(until_ns)) == until_ns


def test_a_trade_that_the_history_gives_twice_counts_once() -> None:
    trade = Trade(-1, "A", 5, 0, 10.0, 100.0, "", "V", 7, "C")

    minute = complete_minute(0, [trade, trade], {}, {}, 0)

    assert minute is not None
    assert (minute.trades, minute.bar.volume, len(minute.unknown)) == (1, 100.0, 1)
