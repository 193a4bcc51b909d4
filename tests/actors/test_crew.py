"""Who dies gets a successor, and who dies again and again is given up."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from actors.driver import crew as crews
from actors.driver.crew import Crew
from desk.model.errors import ActorDied

FAULT = ActorDied("consumer-00", "its process is gone", "a process that lives", "Look into desk.log.")


class NoCluster:
    """Ends whoever it is told to end."""

    node = "here"

    def __init__(self) -> None:
        self.ended: list[str] = []

    def end(self, name: str) -> None:
        self.ended.append(name)


class Made(list[int]):
    """The epochs of the incarnations made."""

    def recipe(self, epoch: int) -> Any:
        self.append(epoch)
        return SimpleNamespace(usage=SimpleNamespace(remote=object))


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def crew(made: Made, monkeypatch: pytest.MonkeyPatch) -> Crew:
    monkeypatch.setattr(crews, "FIRST_PAUSE_S", 0.0)
    cluster: Any = NoCluster()
    crew = Crew(cluster, {"consumer-00": made.recipe}, 5, logging.getLogger())
    crew.make("consumer-00")
    return crew


def test_each_incarnation_has_a_higher_epoch_and_one_who_was_dismissed_comes_back_above_it(
    crew: Crew, made: Made
) -> None:
    crew.revive("consumer-00", FAULT)
    crew.dismiss("consumer-00")
    crew.make("consumer-00")

    assert made == [5, 6, 7]
    assert crew.restarts["consumer-00"] == 1
    assert list(crew.awaited_since_s) == ["consumer-00"]


def test_who_dies_again_and_again_is_given_up_with_the_remedy(crew: Crew) -> None:
    for _ in range(crews.MOST_QUICK):
        crew.revive("consumer-00", FAULT)

    with pytest.raises(ActorDied, match="died 7 times in a row") as told:
        crew.revive("consumer-00", FAULT)

    assert "--resume" in told.value.remedy


def test_who_gets_further_is_not_given_up(crew: Crew) -> None:
    for _ in range(3 * crews.MOST_QUICK):
        crew.revive("consumer-00", FAULT)
        crew.pardon("consumer-00")

    assert crew.restarts["consumer-00"] == 3 * crews.MOST_QUICK


def test_the_death_of_another_is_not_taken_for_its_own(crew: Crew) -> None:
    with pytest.raises(ActorDied):
        crew.revive("broker", FAULT)
