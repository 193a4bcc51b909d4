"""Retries while a server does not answer for a moment, such as during a restart.

Tests: tests/desk/ledger/test_postgres_lost.py
"""

import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import Final, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

from desk.ledger.database_errors import LOCK_NOT_AVAILABLE, state_of

FIRST_WAITS_S: Final = (0.0, 0.05, 0.1, 0.2, 0.5)
LONGEST_WAIT_S: Final = 1.0

# What a server says with FATAL while it comes and goes; anything else of that kind is there to stay.
PASSING: Final = ("starting up", "shutting down", "recovery", "not yet accepting", "too many", "connection slots")

Result = TypeVar("Result")


def retry_until_answered(
    work: Callable[[], Result], patience_s: float, failed: Callable[[DBAPIError], None] = lambda _: None
) -> Result:
    """What `work` gives, which is one whole transaction and changes nothing when it is done twice.

    While the server is away, or another holds the lock, it is done again, for `patience_s` at most; then what it
    raised last is raised. `failed` is called with what each attempt raised.
    """
    end_s = time.monotonic() + patience_s
    for wait_s in chain(FIRST_WAITS_S, repeat(LONGEST_WAIT_S)):
        try:
            return work()
        except DBAPIError as error:
            if not is_transient(error):
                raise
            failed(error)
            if time.monotonic() + wait_s > end_s:
                raise
        time.sleep(wait_s)
    raise AssertionError  # repeat() does not end


def is_transient(error: DBAPIError) -> bool:
    """Whether the server is away for a moment, as far as its words tell."""
    state = state_of(error)
    if error.connection_invalidated or state == LOCK_NOT_AVAILABLE:
        return True
    # Of an attempt to connect that failed there is no more than words.
    said = str(error.orig)
    refused = "FATAL" in said and not any(words in said for words in PASSING)
    return isinstance(error, OperationalError) and state is None and "connection" in said and not refused
