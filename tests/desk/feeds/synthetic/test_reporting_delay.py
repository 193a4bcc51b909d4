"""Delays of reports from the made-up venues, and the received times of the recorder."""

import numpy as np
from numpy.typing import NDArray

from desk.feeds.synthetic.reporting_delay import ROW, Recorder, ReportingLine, lateness_ns
from desk.feeds.synthetic.symbol_runs import SymbolRuns
from desk.model.blocks import QUOTE, TRADE
from desk.model.units import SECOND_NS


def rows(*recv_ns: int, kind: int = TRADE) -> NDArray[np.void]:
    made = np.zeros(len(recv_ns), ROW)
    made["recv_ns"] = recv_ns
    made["kind"] = kind
    return made


def test_a_symbols_events_arrive_in_the_order_in_which_they_happen_across_spans() -> None:
    rng = np.random.default_rng(1)
    line = ReportingLine(1)
    at_ns = np.arange(1_000) * 100
    runs = SymbolRuns.of(np.zeros(1_000, np.int32))

    received = [
        line.receive(at_ns, np.zeros(1_000, np.int64), runs, from_ns, rng) + from_ns for from_ns in (0, 100_000)
    ]

    assert np.all(np.diff(np.concatenate(received)) >= 0)


def test_late_reports_hold_nothing_up() -> None:
    rng = np.random.default_rng(2)
    late = np.arange(1_000) % 10 == 0
    lateness = lateness_ns(late, rng)
    at_ns = np.arange(1_000) * 1_000_000

    received = ReportingLine(1).receive(at_ns, lateness, SymbolRuns.of(np.zeros(1_000, np.int32)), 0, rng)

    delay_ns = received - at_ns
    assert np.all((delay_ns[late] >= SECOND_NS) & (delay_ns[late] < 15.1 * SECOND_NS))
    assert delay_ns[~late].max() < SECOND_NS / 10


def test_rows_not_due_are_held_for_the_next_block() -> None:
    recorder = Recorder(1_000, ("SYN0000",))

    first = recorder.record(rows(5, 30, 7), before_ns=10)
    second = recorder.record(rows(12), before_ns=40)

    assert first.recv_ns.tolist() == [1_005, 1_007]
    assert second.recv_ns.tolist() == [1_012, 1_030]
    assert (first.first_ordinal, second.first_ordinal) == (0, 2)


def test_ids_are_given_in_the_order_of_reporting_and_to_trades_alone() -> None:
    recorder = Recorder(0, ("SYN0000",))
    mixed = np.concatenate((rows(3, 1), rows(2, kind=QUOTE)))

    block = recorder.record(mixed, before_ns=10)
    following = recorder.record(rows(11), before_ns=20)

    assert block.trade_id.tolist() == [1, 0, 2]
    assert following.trade_id.tolist() == [3]
