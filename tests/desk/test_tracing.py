"""Spans of users' own code: roots, children, carriers over threads, tasks and processes, and errors."""

import asyncio
import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from desk import tracing
from desk.model.spans import SpanContext, SpanRecord
from desk.telemetry.span_recorder import MOST_SPANS, SpanRecorder
from desk.tracing import continued, current_carrier, get_tracer, traced
from desk.wiring.user_spans import span_recorder


@pytest.fixture
def spans() -> Iterator[SpanRecorder]:
    yield span_recorder(traced=True)
    tracing._providers.clear()


def by_name(spans: SpanRecorder) -> dict[str, SpanRecord]:
    return {span.name: span for span in spans.take()}


@traced
def inner(number: int) -> int:
    return number + 1


@traced(name="outer")
def outer(number: int) -> int:
    return inner(number)


@traced
async def task(number: int) -> int:
    await asyncio.sleep(0)
    return inner(number)


def in_a_process(carrier: dict[str, str]) -> list[SpanRecord]:
    recorder = span_recorder(traced=True)
    outer(1, carrier=carrier)
    return recorder.take()


def test_a_call_is_a_root_and_a_call_within_it_its_child(spans: SpanRecorder) -> None:
    assert outer(1) == 2

    found = by_name(spans)
    assert found["outer"].parent_id == ""
    assert found["inner"].parent_id == found["outer"].span_id
    assert found["inner"].trace_id == found["outer"].trace_id
    assert found["outer"].started_ns <= found["inner"].started_ns <= found["inner"].ended_ns <= found["outer"].ended_ns


def test_a_thread_and_a_task_continue_the_span_of_the_carrier(spans: SpanRecorder) -> None:
    with get_tracer().start_as_current_span("root"):
        thread = threading.Thread(target=inner, args=(1,), kwargs={"carrier": current_carrier()})
        thread.start()
        thread.join()
        assert asyncio.run(task(1)) == 2

    thread_span, _, _, root = spans.take()
    assert (thread_span.name, thread_span.parent_id) == ("inner", root.span_id)


def test_another_process_continues_the_span_of_the_carrier(spans: SpanRecorder) -> None:
    with get_tracer().start_as_current_span("root"):
        carrier = current_carrier()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            there = {span.name: span for span in pool.submit(in_a_process, carrier).result(60)}

    root = by_name(spans)["root"]
    assert there["outer"].parent_id == root.span_id
    assert {span.trace_id for span in there.values()} == {root.trace_id}


def test_an_exception_passes_through_and_is_recorded(spans: SpanRecorder) -> None:
    @traced
    def fails() -> None:
        raise ValueError("no price")

    with pytest.raises(ValueError, match="no price"):
        fails()

    (span,) = spans.take()
    assert "ValueError: no price" in span.error


def test_without_a_valid_carrier_the_span_under_way_stays(spans: SpanRecorder) -> None:
    with get_tracer().start_as_current_span("root"):
        for carrier in (None, {}, {"traceparent": "00-zz"}):
            with continued(carrier):
                inner(1)

    found = spans.take()
    root = found[-1]
    assert [span.parent_id for span in found[:-1]] == [root.span_id] * 3


def test_outside_a_desk_spans_go_to_the_global_provider_and_cost_no_error() -> None:
    assert outer(1) == 2


def test_a_full_recorder_drops_and_counts(spans: SpanRecorder) -> None:
    for number in range(MOST_SPANS + 3):
        inner(number)

    assert (spans.recorded, spans.dropped) == (MOST_SPANS, 3)
    assert len(spans.take()) == MOST_SPANS


def test_ids_do_not_depend_on_the_random_module_that_a_strategy_seeds(spans: SpanRecorder) -> None:
    import random  # noqa: PLC0415 - as a strategy does

    random.seed(1)
    before = random.getstate()
    context = spans.add("a", 1, 2)

    assert random.getstate() == before
    assert SpanContext.of(context.traceparent) == context


@pytest.mark.parametrize("header", [None, "", "00", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "ff-é"])
def test_what_is_no_traceparent_is_no_context(header: str | None) -> None:
    assert SpanContext.of(header) is None
