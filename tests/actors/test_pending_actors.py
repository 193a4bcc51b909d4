"""Reports about consumers that wait for free resources."""

import logging
from collections.abc import Iterator

import pytest

from actors.driver.pending_actors import PendingActors
from actors.ray_cluster.gcs import ClusterCapacity


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    log = logging.getLogger("raydesk.test_awaited")
    log.addHandler(caplog.handler)
    log.propagate = False
    yield log
    log.removeHandler(caplog.handler)


def test_a_long_wait_is_reported_with_the_missing_resources_less_and_less_often(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    awaited = PendingActors(2.0, lambda: ClusterCapacity(4.0, 1.0, 2), lambda _: False, log)

    awaited.look({"consumer-03": 100.0}, 105.0)
    assert awaited.notes == []
    for second in range(110, 170):
        awaited.look({"consumer-03": 100.0}, float(second))

    assert awaited.notes == ["consumer-03 waits 69 s for 2 free CPUs: of the 4 on 2 nodes, 1 are free"]
    assert [record.message.split(" for ")[0] for record in caplog.records] == [
        "consumer-03 waits 10 s",
        "consumer-03 waits 20 s",
        "consumer-03 waits 40 s",
    ]


def test_who_has_come_is_not_noted_any_more_but_remembered(log: logging.Logger) -> None:
    awaited = PendingActors(1.0, lambda: ClusterCapacity(1.0, 0.0, 1), lambda _: False, log)

    awaited.look({"consumer-01": 0.0}, 30.0)
    awaited.look({}, 31.0)

    assert awaited.notes == []
    assert awaited.reported == {"consumer-01": "consumer-01 waits 30 s for 1 free CPU: of the 1 on 1 node, 0 are free"}


def test_who_has_a_place_waits_for_its_process_and_that_is_not_remembered(log: logging.Logger) -> None:
    awaited = PendingActors(1.0, lambda: ClusterCapacity(4.0, 0.0, 1), lambda _: True, log)

    awaited.look({"consumer-01": 0.0}, 12.0)

    assert awaited.notes == ["consumer-01 waits 12 s for its process to start"]
    assert awaited.reported == {}


def test_nothing_is_reported_where_resources_are_free(log: logging.Logger) -> None:
    awaited = PendingActors(1.0, lambda: ClusterCapacity(8.0, 7.0, 1), lambda _: False, log)

    awaited.look({"consumer-01": 0.0}, 12.0)

    assert awaited.notes == ["consumer-01 waits 12 s for its process to start"]
