"""Questions about trades: whole minutes, rising ordinals, and reasons instead of exceptions."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from unittest.mock import patch

from scripted_history import ScriptedHistory

from desk.history import history_server
from desk.history.history_server import HistoryServer
from desk.model.history import (
    TradesQuestion,
    decode_answer,
    decode_question,
    encode_answer,
    encode_question,
)
from desk.model.items import decode_trades
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, SECOND_NS


def a_print(number: int, seconds: float, symbol: str = "A", price: float = 10.0) -> Trade:
    return Trade(0, symbol, round(seconds * SECOND_NS), 0, price, 100.0, "", "V", number, "C")


def test_an_answer_covers_all_minutes_of_all_symbols_in_parts_of_whole_minutes() -> None:
    trades = [a_print(number, number * 20) for number in range(1, 12)] + [a_print(99, 30, "B")]
    server = HistoryServer(ScriptedHistory(trades))
    question = TradesQuestion(7, ["A", "B", "C"], 0, 5 * MINUTE_NS)

    with patch.object(history_server, "TRADES_PER_PART", 3):
        answer = decode_answer(encode_answer(server.serve(decode_question(encode_question(question)))))

    assert (answer.number, answer.why) == (7, "")
    assert {part.symbol for part in answer.parts} == {"A", "B", "C"}
    parts = [part for part in answer.parts if part.symbol == "A"]
    assert (parts[0].from_ns, parts[-1].to_ns) == (0, 5 * MINUTE_NS)
    assert all(one.to_ns == other.from_ns for one, other in pairwise(parts))
    found = [trade for part in parts for trade in decode_trades(part.trades)]
    assert [trade.trade_id for trade in found] == list(range(1, 12))
    assert [trade.ordinal for trade in found] == list(range(-11, 0))
    for part in answer.parts:
        assert all(part.from_ns <= trade.ts_ns < part.to_ns for trade in decode_trades(part.trades))


def test_a_history_that_has_not_reached_the_witness_is_not_used() -> None:
    witness = a_print(5, 130)
    market = ScriptedHistory([a_print(1, 10), witness])
    market.reached_ns = 100 * SECOND_NS
    server = HistoryServer(market)
    question = TradesQuestion(1, ["A"], 0, MINUTE_NS, witness)

    assert "trade 5 of A" in server.serve(question).why
    market.reached_ns = 200 * SECOND_NS
    assert server.serve(question).why == ""


def test_trades_without_a_price_or_size_are_left_out() -> None:
    server = HistoryServer(ScriptedHistory([a_print(1, 10, price=0.0), a_print(2, 20)]))

    (part,) = server.serve(TradesQuestion(1, ["A"], 0, MINUTE_NS)).parts

    assert [trade.trade_id for trade in decode_trades(part.trades)] == [2]


def test_what_the_vendor_raises_is_the_reason_of_the_answer() -> None:
    class Broken(ScriptedHistory):
        def trades(self, symbols: Sequence[str], from_ns: int, to_ns: int) -> Iterator[list[Trade]]:
            raise KeyError("trades")

    market = ScriptedHistory()
    market.failures.append("no subscription to this data")

    assert (
        HistoryServer(market).serve(TradesQuestion(1, ["A"], 0, MINUTE_NS)).why.endswith("no subscription to this data")
    )
    assert "KeyError" in HistoryServer(Broken()).serve(TradesQuestion(1, ["A"], 0, MINUTE_NS)).why
