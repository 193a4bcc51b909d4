"""The structure of the producer: its loop calls its parts, and no part calls back."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest
from pipeline_parts import DelayedAckLinks, MemoryDesk, Row, Rows, at

from desk.flow.routing_table import SLOTS
from desk.model.commands import Command, MoveSlots
from desk.producer.loop import ProducerLoop
from desk.producer.parts import ProducerParts

LOOP = Path(inspect.getfile(ProducerLoop))


def on_the_stack() -> Iterator[str]:
    """The modules of the loop's package whose code runs now."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        path = Path(frame.f_code.co_filename)
        if path.parent == LOOP.parent:
            yield path.stem


@pytest.mark.parametrize(("lockstep", "speed"), [(True, None), (False, None), (False, 200.0)])
def test_while_news_and_commands_are_handled_no_part_is_in_the_midst_of_anything(
    lockstep: bool, speed: float | None
) -> None:
    tape = [Row(number * 0.13, "ABC"[number % 3], ("trade", "quote")[number % 2]) for number in range(60)]
    desk = MemoryDesk(Rows(tape), "ABC", capacity=5, window=1, lockstep=lockstep, speed=speed, links=DelayedAckLinks)
    take = desk.mailbox.take
    seen: set[str] = set()

    def looked() -> list[Command]:
        seen.update(on_the_stack())
        return take()

    desk.mailbox.take = looked  # type: ignore[method-assign]
    asked: list[int] = []

    def move() -> None:
        if not asked and desk.loop.session_ns >= at(3):
            asked.append(1)
            desk.mailbox.post(MoveSlots(range(SLOTS), 1))

    desk.play(move)

    assert desk.loop.moves.done
    assert seen == {LOOP.stem}


def test_no_part_is_given_anything_to_call() -> None:
    for part in get_type_hints(ProducerParts).values():
        for name, hint in get_type_hints(part.__init__).items():
            assert "Callable" not in str(hint), f"{part.__name__} takes a callable: {name}"
            assert hint is not ProducerLoop
