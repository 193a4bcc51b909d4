"""How the desk reacts to an error of the venue: stop, or reconnect.

405 (symbol limit) and 410 (invalid action) answer one request, and leave the connection as it is: see `Subscription`.
Source: docs.alpaca.markets, "WebSocket Stream", error table.

Tests: tests/desk/venues/alpaca/test_alpaca_protocol.py
"""

from typing import Final

from desk.model.errors import CredentialsError, DeskError, RunFailed
from desk.streams.stream_protocol import HangUp

SYMBOL_LIMIT: Final = 405
CONNECTION_LIMIT: Final = 406
SLOW_CLIENT: Final = 407
INVALID_ACTION: Final = 410
RETRIED: Final = {
    404: "it waited too long for the authentication",
    CONNECTION_LIMIT: "another connection of this account is open; the venue closes a half-open one after about 90 s",
    500: "the venue has an internal error",
}
HEAL_ONCE_SUBSCRIBED: Final = frozenset({400, 401, 403})
"""Errors of the dialogue: a configuration fault before the first subscription, a passing one after it."""

_KEYS: Final = "Set ALPACA_API_KEY and ALPACA_SECRET_KEY to keys of this account and endpoint."
_STOPS: Final[dict[int, tuple[type[DeskError], str, str]]] = {
    400: (RunFailed, "messages that the venue understands", "Check that the url is that of an Alpaca stream (v2)."),
    401: (CredentialsError, "an authenticated connection", _KEYS),
    402: (CredentialsError, "keys that the venue accepts", _KEYS),
    403: (RunFailed, "one authentication per connection", "Check that the url is that of an Alpaca stream (v2)."),
    SYMBOL_LIMIT: (
        RunFailed,
        'an account that may subscribe to some of these symbols (30 with IEX, and not to all of them by "*")',
        "Name fewer symbols or channels, in the plan or by scanners, or take a larger plan of the venue.",
    ),
    409: (
        CredentialsError,
        "a feed that the account's plan includes",
        "Set the url of another feed (v2/iex, v2/delayed_sip, v2/test), or take a larger plan of the venue.",
    ),
    INVALID_ACTION: (RunFailed, "channels that this feed has", "Name fewer channels, or set the url of another feed."),
}


def error_meaning(code: int, text: str, place: str, *, was_subscribed: bool = False) -> DeskError | HangUp:
    """A DeskError if a retry cannot help, else a HangUp with the reason; unknown codes are retried.

    `was_subscribed`: the venue has acknowledged a subscription before.
    """
    found = found_error(code, text)
    if code in _STOPS and not (was_subscribed and code in HEAL_ONCE_SUBSCRIBED):
        fault, expected, remedy = _STOPS[code]
        return fault(place, found, expected, remedy)
    why = RETRIED.get(code)
    reason = f"{found}: {why}" if why else found
    return HangUp(reason, at_once=code == SLOW_CLIENT, is_full=code == CONNECTION_LIMIT)


def found_error(code: int, text: str) -> str:
    """The error in words."""
    return f"the venue says {code} {text}".rstrip()
