"""The desk's health: starting, running, stuck, silent, without its feed."""

import json

import pytest

from desk.exporters.desk_health import STALE_S, DeskHealth
from desk.report.desk_view import DeskState


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> DeskHealth:
    return DeskHealth(clock)


def test_a_desk_that_starts_is_not_yet_healthy(health: DeskHealth) -> None:
    assert not health.health().ok


@pytest.mark.parametrize("state", ["waiting", "running", "draining", "closed"])
def test_a_desk_that_publishes_is_healthy(health: DeskHealth, state: DeskState) -> None:
    health.publish(state, None, feed_up=True)

    assert health.health().ok


def test_a_desk_whose_session_time_stands_still_is_unhealthy(health: DeskHealth, clock: Clock) -> None:
    health.publish("running", 1, feed_up=True)
    clock.now_s += STALE_S
    health.publish("running", 2, feed_up=True)
    assert health.health().ok
    clock.now_s += STALE_S + 1
    health.publish("running", 2, feed_up=True)

    assert health.health().why == "session time does not advance"
    assert health.health().mark_age_s == STALE_S + 1


def test_a_desk_that_waits_for_its_session_is_healthy_for_as_long_as_it_publishes(
    health: DeskHealth, clock: Clock
) -> None:
    health.publish("waiting", None, feed_up=True)
    clock.now_s += 10 * STALE_S
    health.publish("waiting", None, feed_up=True)
    assert health.health().ok
    clock.now_s += STALE_S + 1

    assert health.health().why == "the desk does not respond"


def test_a_running_desk_whose_feed_is_down_is_unhealthy(health: DeskHealth) -> None:
    health.publish("running", 1, feed_up=False)

    assert health.health().why == "the feed is down"


def test_the_page_is_short_json_with_a_status(health: DeskHealth, clock: Clock) -> None:
    before = health.page("")
    health.publish("running", 5, feed_up=True)
    clock.now_s += 1.5
    after = health.page("")

    assert (before.status, after.status) == (503, 200)
    assert json.loads(after.body) == {"ok": True, "state": "running", "mark_age_s": 1.5, "why": ""}
