"""A constructor that raises: every caller gets its error, and it does not count as a death."""

import pytest
from ray import cloudpickle

from actors.calls.constructor_errors import reporting_faults
from actors.producer import Producer
from actors.scanners import Scanners
from desk.model.errors import CredentialsError, DeskError, RunFailed


class Plain:
    """A class as an actor is made of it."""

    def __init__(self, fault: BaseException | None) -> None:
        if fault is not None:
            raise fault
        self.answer = 42

    def __repr__(self) -> str:
        return f"plain {self.answer}"

    def usage(self) -> int:
        return self.answer


def built(fault: BaseException | None) -> Plain:
    """As Ray builds it: from the class's pickle."""
    made: Plain = cloudpickle.loads(cloudpickle.dumps(reporting_faults(Plain)))(fault)
    return made


def test_without_a_fault_it_is_the_plain_class() -> None:
    plain = built(None)

    assert plain.usage() == 42
    assert repr(plain) == "plain 42"
    assert type(plain).__name__ == "Plain"


def test_a_fault_of_the_desk_is_raised_by_every_call() -> None:
    fault = CredentialsError("[feed]", "no key")
    plain = built(fault)

    for _ in range(2):
        with pytest.raises(CredentialsError) as raised:
            plain.usage()
        assert raised.value is fault
    assert repr(plain) == "plain"


@pytest.mark.parametrize("fault", [OSError("no room"), SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_any_other_fault_names_the_actor_and_the_line(fault: BaseException) -> None:
    with pytest.raises(DeskError) as raised:
        built(fault).usage()

    assert isinstance(raised.value, RunFailed)
    assert raised.value.place == "plain"
    assert raised.value.found.startswith(f"it cannot start: {type(fault).__name__}")
    assert "test_constructor_errors.py, line" in raised.value.found


def test_the_dashboard_shows_an_actor_by_the_name_of_its_class_or_by_the_one_that_it_has_for_that() -> None:
    assert reporting_faults(Producer).__qualname__ == "Producer"
    assert reporting_faults(Scanners).__qualname__ == "Scanner"
