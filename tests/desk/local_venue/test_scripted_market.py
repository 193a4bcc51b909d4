import pickle

import numpy as np
from venue_parts import START_NS, market

from desk.local_venue.faults.fault_script import parse_faults
from desk.local_venue.faults.scripted_market import scripted_market
from desk.model.block_checks import rejection_causes
from desk.model.blocks import LULD, QUOTE, STATUS, TRADE, Block, BlockSource
from desk.model.notices import Notice, PriceBands, TradingStatus

S = 10**9


def of(text: str, source: BlockSource) -> list[Block]:
    return list(scripted_market(parse_faults(text, "f"), source).blocks())


def notices(blocks: list[Block]) -> list[Notice]:
    return [notice for block in blocks if block.notices is not None for notice in block.notices.tolist() if notice]


def test_a_halt_has_a_status_at_both_ends_and_no_trade_between() -> None:
    source = market(events_per_s=500.0)
    halted = source.symbols[0]

    blocks = of(f'[[faults]]\nkind = "halt"\nsymbols = ["{halted}"]\nat = 1\nfor_s = 1', source)

    first, last = notices(blocks)
    assert isinstance(first, TradingStatus)
    assert isinstance(last, TradingStatus)
    assert (first.symbol, first.ts_ns, first.halted) == (halted, START_NS + S, True)
    assert (last.symbol, last.ts_ns, last.resumed) == (halted, START_NS + 2 * S, True)
    during = [
        int(block.kind[row])
        for block in blocks
        for row in np.flatnonzero(block.symbol == block.symbols.index(halted))
        if START_NS + S <= block.ts_ns[row] < START_NS + 2 * S
    ]
    assert TRADE not in during
    assert QUOTE in during


def test_rows_stay_in_order_and_are_sound() -> None:
    source = market(events_per_s=500.0)
    symbol = source.symbols[1]

    blocks = of(
        f'[[faults]]\nkind = "luld"\nsymbols = ["{symbol}"]\nat = 0.5\ndown = 9\nup = 11\n'
        f'[[faults]]\nkind = "halt"\nsymbols = ["{symbol}"]\nat = 1\nfor_s = 1',
        source,
    )

    times = np.concatenate([block.recv_ns for block in blocks])
    kinds = np.concatenate([block.kind for block in blocks])
    assert (np.diff(times) >= 0).all()
    assert not any(rejection_causes(block).any() for block in blocks)
    assert ((kinds == LULD).sum(), (kinds == STATUS).sum()) == (1, 2)
    (bands, *_) = notices(blocks)
    assert isinstance(bands, PriceBands)
    assert (bands.down, bands.up) == (9.0, 11.0)


def test_a_quiet_time_has_no_events() -> None:
    source = market()

    blocks = of('[[faults]]\nkind = "quiet"\nat = 1\nfor_s = 1', source)

    times = np.concatenate([block.recv_ns for block in blocks]) - START_NS
    assert not ((times >= S) & (times < 2 * S)).any()
    assert (times < S).any()
    assert (times >= 2 * S).any()


def test_it_can_be_sent_to_another_process() -> None:
    source = market()
    text = f'[[faults]]\nkind = "halt"\nsymbols = ["{source.symbols[0]}"]\nat = 1\nfor_s = 1'
    scripted = scripted_market(parse_faults(text, "f"), source)

    sent = pickle.loads(pickle.dumps(scripted))

    assert notices(list(sent.blocks())) == notices(list(scripted.blocks()))


def test_a_script_without_changes_leaves_the_source() -> None:
    source = market()

    assert scripted_market(parse_faults('[[faults]]\nkind = "cut"', "f"), source) is source
