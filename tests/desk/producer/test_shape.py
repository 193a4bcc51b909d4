"""The structure of the producer: its loop calls its parts, and no part calls back."""

import ast
import inspect
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_type_hints

import pytest
from pipeline_parts import DelayedAckLinks, MemoryDesk, Row, Rows, at

from desk.flow.routing_table import SLOTS
from desk.model.batch import News
from desk.model.commands import Command, MoveSlots
from desk.ports import Wait
from desk.process.clock import SystemClock
from desk.producer.loop import ProducerLoop
from desk.producer.parts import ProducerParts

WAITING = {"sleep", "select", "poll", "wait", "wait_for", "recv", "accept", "run", "run_forever", "run_until_complete"}
THE_WAIT = {
    ("producer/loop.py", "self._pacing.wait"),  # says what to wait for
    ("producer/loop.py", "self._ports.links.wait"),  # waits
}
TURNS = {  # of an event loop, which do not wait; and its end, when the feed is closed
    ("streams/turn_selector.py", "loop.run_forever"),
    ("streams/turn_selector.py", "super().select"),
    ("streams/socket_loop.py", "self.event_loop.run_until_complete"),
    ("streams/socket_loop.py", "asyncio.wait_for"),
    ("streams/socket_loop.py", "connection.gone.wait"),
}
FOR_OTHERS = {("feeds/frames.py", "clock.wait")}  # not part of the desk: benchmarks and tests read feeds through it
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


def test_producer_feeds_and_streams_wait_in_one_place() -> None:
    found = set()
    for room in ("producer", "feeds", "streams"):
        for path in (LOOP.parent.parent / room).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in WAITING:
                    found.add((path.relative_to(LOOP.parent.parent).as_posix(), ast.unparse(call.func)))

    assert found == THE_WAIT | TURNS | FOR_OTHERS


@pytest.mark.parametrize("speed", [1.0, 0.001])
def test_a_paced_feed_is_waited_for_in_one_wait_that_a_command_ends(speed: float) -> None:
    desk = MemoryDesk(Rows([Row(0), Row(3_600)], "A"), "A", lockstep=False, speed=speed, clock=SystemClock())
    waits, wait = [], desk.wire.wait

    def counted(what: Wait, descriptors: Sequence[int] = ()) -> list[News]:
        waits.append(what)
        return wait(what, descriptors)

    desk.wire.wait = counted  # type: ignore[method-assign]
    frames = desk.loop.play()
    next(frames)

    sender = threading.Timer(0.2, desk.loop.stop)
    sender.start()
    list(frames)
    sender.join()

    assert 0 < sum(what.until_ns > 0 for what in waits) < 20, "the loop waits, and does not poll"
    assert len(waits) < 100
