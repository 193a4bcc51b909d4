"""How the desk reacts to an error of the venue: stop, or reconnect.

Source: docs.alpaca.markets, "WebSocket Stream", error table.

Tests: tests/desk/venues/alpaca/test_alpaca_protocol.py
"""

from typing import Final

from desk.model.errors import CredentialsError, DeskError, RunFailed
from desk.streams.stream_protocol import HangUp

SLOW_CLIENT: Final = 407
RETRIED: Final = {
    404: "it waited too long for the authentication",
    406: "another connection of this account is open; the venue closes a half-open one after about 90 s",
    500: "the venue has an internal error",
}

_KEYS: Final = "Set ALPACA_API_KEY and ALPACA_SECRET_KEY to keys of this account and endpoint."
_STOPS: Final[dict[int, tuple[type[DeskError], str, str]]] = {
    400: (RunFailed, "messages that the venue understands", "Check that the url is that of an Alpaca stream (v2)."),
    401: (CredentialsError, "an authenticated connection", _KEYS),
    402: (CredentialsError, "keys that the venue accepts", _KEYS),
    403: (RunFailed, "one authentication per connection", "Check that the url is that of an Alpaca stream (v2)."),
    405: (
        RunFailed,
        "no more symbols than the account's plan allows (30 with IEX)",
        "Subscribe to fewer symbols or channels, in the plan or by scanners, or take a larger plan of the venue.",
    ),
    409: (
        CredentialsError,
        "a feed that the account's plan includes",
        "Set the url of another feed (v2/iex, v2/delayed_sip, v2/test), or take a larger plan of the venue.",
    ),
    410: (RunFailed, "channels that this feed has", "Name fewer channels, or set the url of another feed."),
}


def error_meaning(code: int, text: str, place: str) -> DeskError | HangUp:
    """A DeskError if a retry cannot help, else a HangUp with the reason; unknown codes are retried."""
    found = f"the venue says {code} {text}".rstrip()
    if code in _STOPS:
        fault, expected, remedy = _STOPS[code]
        return fault(place, found, expected, remedy)
    why = RETRIED.get(code)
    return HangUp(f"{found}: {why}" if why else found, at_once=code == SLOW_CLIENT)
