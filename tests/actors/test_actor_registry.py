"""An actor that dies is restarted; an actor that dies repeatedly is given up."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from actors.driver import actor_registry as crews
from actors.driver.actor_registry import ActorRegistry
from desk.model.errors import ActorDied

FAULT = ActorDied("consumer-00", "its process is gone", "a process that lives", "Look into desk.log.")


class NoCluster:
    """Records the actors that the registry ends."""

    node = "here"

    def __init__(self) -> None:
        self.ended: list[str] = []

    def end(self, name: str) -> None:
        self.ended.append(name)


class Made(list[int]):
    """The epochs of the incarnations made."""

    def spec(self, epoch: int) -> Any:
        self.append(epoch)
        return SimpleNamespace(usage=SimpleNamespace(remote=object))


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def registry(made: Made, monkeypatch: pytest.MonkeyPatch) -> ActorRegistry:
    monkeypatch.setattr(crews, "FIRST_PAUSE_S", 0.0)
    cluster: Any = NoCluster()
    registry = ActorRegistry(cluster, {"consumer-00": made.spec}, 5, logging.getLogger())
    registry.create("consumer-00")
    return registry


def test_each_incarnation_has_a_higher_epoch_and_one_who_was_dismissed_comes_back_above_it(
    registry: ActorRegistry, made: Made
) -> None:
    registry.restart("consumer-00", FAULT)
    registry.dismiss("consumer-00")
    registry.create("consumer-00")

    assert made == [5, 6, 7]
    assert registry.restarts["consumer-00"] == 1
    assert list(registry.awaited_since_s) == ["consumer-00"]


def test_who_dies_again_and_again_is_given_up_with_the_remedy(registry: ActorRegistry) -> None:
    for _ in range(crews.MOST_QUICK):
        registry.restart("consumer-00", FAULT)

    with pytest.raises(ActorDied, match="died 7 times in a row") as told:
        registry.restart("consumer-00", FAULT)

    assert "--resume" in told.value.remedy


def test_who_gets_further_is_not_given_up(registry: ActorRegistry) -> None:
    for _ in range(3 * crews.MOST_QUICK):
        registry.restart("consumer-00", FAULT)
        registry.forget_quick_deaths("consumer-00")

    assert registry.restarts["consumer-00"] == 3 * crews.MOST_QUICK


def test_the_death_of_another_is_not_taken_for_its_own(registry: ActorRegistry) -> None:
    with pytest.raises(ActorDied):
        registry.restart("broker", FAULT)
