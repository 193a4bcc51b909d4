"""The mailbox of a process: order, wake-ups, and commands that are posted while others are taken."""

import gc
import os
import select
import signal
import threading
import time
from collections.abc import Callable

import pytest

from desk.model.commands import AddShard, Command, EndSession
from desk.process.mailbox import ProcessMailbox

DEADLINE_S = 30


def is_readable(mailbox: ProcessMailbox, patience_s: float = 0.0) -> bool:
    return bool(select.select([mailbox.descriptor], [], [], patience_s)[0])


def test_it_is_readable_while_a_command_waits() -> None:
    mailbox = ProcessMailbox()
    before = is_readable(mailbox)

    mailbox.post(AddShard(1))
    mailbox.post(AddShard(2))
    posted = is_readable(mailbox)

    assert (before, posted) == (False, True)
    assert mailbox.take() == [AddShard(1), AddShard(2)]
    assert not is_readable(mailbox)
    assert mailbox.take() == []


def test_a_byte_that_comes_after_its_command_was_taken_is_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = ProcessMailbox()
    late: list[Callable[[], int]] = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda *args: late.append(lambda: write(*args)))
    mailbox.post(AddShard(1))
    taken = mailbox.take()
    monkeypatch.undo()
    late[0]()
    woken = is_readable(mailbox)

    assert (taken, woken) == ([AddShard(1)], True)
    assert mailbox.take() == []
    assert not is_readable(mailbox)


def test_no_command_of_many_threads_is_lost_and_each_wakes_a_reader() -> None:
    mailbox = ProcessMailbox()
    each = 2_000

    def post(first: int) -> None:
        for number in range(first, first + each):
            mailbox.post(AddShard(number))

    threads = [threading.Thread(target=post, args=(each * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    taken: list[Command] = []
    while len(taken) < 4 * each:
        assert is_readable(mailbox, DEADLINE_S), "no wake-up for a command"
        taken += mailbox.take()
    for thread in threads:
        thread.join()
    mailbox.take()

    numbers = [command.shard for command in taken if isinstance(command, AddShard)]
    assert sorted(numbers) == list(range(4 * each))
    assert all([n for n in numbers if n // each == k] == list(range(each * k, each * k + each)) for k in range(4))
    assert not is_readable(mailbox)


def test_more_commands_than_a_pipe_holds_are_all_taken() -> None:
    mailbox = ProcessMailbox()
    for number in range(70_000):
        mailbox.post(AddShard(number))

    assert len(mailbox.take()) == 70_000
    while is_readable(mailbox):
        assert mailbox.take() == []
    mailbox.post(EndSession())
    assert is_readable(mailbox)
    assert mailbox.take() == [EndSession()]


def test_a_signal_handler_ends_a_wait() -> None:
    mailbox = ProcessMailbox()
    before = signal.signal(signal.SIGUSR1, lambda *_: mailbox.post(EndSession()))
    sender = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        sender.start()
        woken = is_readable(mailbox, DEADLINE_S)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)

    assert woken
    assert mailbox.take() == [EndSession()]


def test_both_ends_are_closed_with_it() -> None:
    mailbox = ProcessMailbox()
    ends = (mailbox.descriptor, mailbox._write_end)
    del mailbox
    gc.collect()

    for end in ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)


def test_posting_while_a_signal_interrupts_taking_loses_nothing() -> None:
    mailbox = ProcessMailbox()
    posted = taken = 0

    def post(*_: object) -> None:
        nonlocal posted
        posted += 1
        mailbox.post(EndSession())

    before = signal.signal(signal.SIGALRM, post)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        deadline_s = time.monotonic() + DEADLINE_S
        while posted < 200 and time.monotonic() < deadline_s:
            taken += len(mailbox.take())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    taken += len(mailbox.take())
    mailbox.take()

    assert posted >= 200
    assert taken == posted
    assert not is_readable(mailbox)
