"""The experiment on the placement of bulk work: what it measures, not how fast this machine is."""

import json
from xml.etree import ElementTree as ET

import pytest

from benchmarks.bulk_work import document_of
from benchmarks.placement import CASES, Lags, in_session, plot


def test_the_document_is_json_and_grows_with_the_call() -> None:
    short, long = document_of(0.5), document_of(50.0)

    assert len(json.loads(long)) > len(json.loads(short)) > 0


@pytest.mark.parametrize("case", [CASES[0], CASES[4]], ids=lambda case: case.what)
def test_every_message_of_a_slow_schedule_is_read_and_timed(case: object) -> None:
    lags = in_session(case, 20.0, 1.0, 1.0)  # type: ignore[arg-type]  # a Case, as parametrized

    assert lags.points
    assert lags.row["max_ms"] >= lags.row["p50_ms"] > 0


def test_the_lags_of_every_part_are_plotted() -> None:
    one = Lags("no bulk work", [(0.5, 0.1), (1.5, 0.2)], {})
    other = Lags("thread", [(0.5, 10.0), (1.5, 2000.0)], {})

    drawn = ET.fromstring(plot([("session", [one, other]), ("desk", [one])], 2.0))

    titles = [element.text for element in drawn.iter() if element.tag.endswith("title")]
    assert titles == ["no bulk work", "thread", "no bulk work"]
