"""Retries transactions during a short outage of the server, such as a restart.

Tests: tests/desk/ledger/test_postgres_lost.py
"""

import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import Final, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

from desk.ledger.database_errors import LOCK_NOT_AVAILABLE, sqlstate

FIRST_WAITS_S: Final = (0.0, 0.05, 0.1, 0.2, 0.5)
LONGEST_WAIT_S: Final = 1.0

# FATAL messages of a server during a restart or overload. Other FATAL messages are permanent.
TRANSIENT_MESSAGES: Final = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting",
    "too many",
    "connection slots",
)

Result = TypeVar("Result")


def retry_until_answered(
    work: Callable[[], Result], patience_s: float, failed: Callable[[DBAPIError], None] = lambda _: None
) -> Result:
    """Run `work`, an idempotent transaction, and return its result.

    While the server is down or another writer holds the lock, `work` is retried for up to `patience_s`; then its last
    error is raised. `failed` is called with the error of each attempt.
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
    """Whether a retry may succeed, as far as the error tells."""
    state = sqlstate(error)
    if error.connection_invalidated or state == LOCK_NOT_AVAILABLE:
        return True
    # A failed attempt to connect has no SQLSTATE, only a message.
    message = str(error.orig)
    refused = "FATAL" in message and not any(words in message for words in TRANSIENT_MESSAGES)
    return isinstance(error, OperationalError) and state is None and "connection" in message and not refused
