"""The kinds of faults and their parameters: one table for the script's parser, the schedule and the documents.

Tests: tests/desk/local_venue/test_fault_script.py
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from desk.local_venue.server_protocol import ERRORS, Step

Role = Literal["moment", "answer", "grant", "span", "market"]
"""moment: happens once, instead of an answer or between data. answer: only instead of an answer. grant: changes a
subscription. span: lasts, and changes events. market: changes the market that is played."""

STEPS: Final[tuple[Step, ...]] = ("greeting", "auth", "subscribe", "data")
ANSWERS: Final = STEPS[:3]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A key of a fault: `words` say which values are right; None as `default` makes it required."""

    name: str
    words: str
    is_right: Callable[[Any], bool]
    default: Any
    about: str


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault; `steps` are those at which it can happen, the first of them by default."""

    name: str
    role: Role
    about: str
    steps: tuple[Step, ...] = ("data",)
    parameters: tuple[Parameter, ...] = ()


def _number(name: str, default: float | None, about: str, low: float = 0.0, high: float = 1e9) -> Parameter:
    def is_right(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

    return Parameter(name, f"a number from {low:g} to {high:g}", is_right, default, about)


def _whole(name: str, default: int | None, about: str, low: int, high: int = 10**9) -> Parameter:
    def is_right(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return Parameter(name, f"a whole number from {low:,} to {high:,}", is_right, default, about)


def _word(name: str, words: tuple[str, ...], default: str | None, about: str) -> Parameter:
    return Parameter(name, " or ".join(f'"{word}"' for word in words if word), words.__contains__, default, about)


def _text(name: str, default: str | None, about: str) -> Parameter:
    return Parameter(name, "text", lambda value: isinstance(value, str), default, about)


def _is_symbols(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(symbol, str) and symbol for symbol in value)


def _symbols(about: str, *, required: bool = False) -> Parameter:
    return Parameter("symbols", "a list of symbols", _is_symbols, None if required else [], about)


def _code() -> Parameter:
    known = ", ".join(map(str, ERRORS))
    return Parameter(
        "code", f"one of {known}", lambda code: isinstance(code, int) and code in ERRORS, None, "the error"
    )


def _share(default: float, of: str) -> Parameter:
    return _number("share", default, f"the share of {of}, by the seed", high=1.0)


_OF_SYMBOLS: Final = _symbols("only events of these; default: all")
CLOSE_CODES: Final = frozenset({*range(1000, 1004), *range(1006, 1015), *range(3000, 5000)})
"""RFC 6455, section 7.4; the others must not be sent."""
MALFORMED: Final = ("", "truncated", "not_utf8", "not_a_list", "unknown_kind", "wrong_type", "nested", "empty")

KINDS: Final = (
    FaultKind(
        "error",
        "moment",
        "send an error; 402, 404, 406, 407 and 409 close the connection",
        ("data", *ANSWERS),
        (_code(),),
    ),
    FaultKind(
        "disconnect",
        "moment",
        "close the connection",
        ("data", *ANSWERS),
        (
            Parameter(
                "code",
                "a close code: 1000 to 1003, 1006 to 1014, or 3000 to 4999",
                lambda code: type(code) is int and code in CLOSE_CODES,
                1011,
                "the close code of the websocket; 1006: none is sent",
            ),
        ),
    ),
    FaultKind("cut", "moment", "end the connection in the middle of a frame", ("data", *ANSWERS)),
    FaultKind(
        "half_open",
        "moment",
        "the socket stays open, and nothing is read or sent any more; its place is taken until it is reaped (406)",
        ("data", *ANSWERS),
        (_number("reap_s", 90.0, "session seconds until it is reaped"),),
    ),
    FaultKind(
        "malformed",
        "moment",
        "send a frame that cannot be decoded",
        ("data", *ANSWERS),
        (_word("what", MALFORMED, "", "the flaw; default: one by the seed"),),
    ),
    FaultKind(
        "oversized",
        "moment",
        "send a frame that is too large",
        ("data", *ANSWERS),
        (_number("mib", 5.0, "its size", low=0.001, high=64.0),),
    ),
    FaultKind("no_answer", "answer", "never answer the request, which is not applied", ANSWERS),
    FaultKind(
        "partial_subscription",
        "grant",
        "grant, and acknowledge, only a part of a subscription",
        ("subscribe",),
        (_share(0.5, "symbols that are not granted"), _symbols("those that are not granted, instead of a share")),
    ),
    FaultKind(
        "mute", "span", "withhold all data, or the ticks of `symbols` while their bars continue", (), (_OF_SYMBOLS,)
    ),
    FaultKind("no_pong", "span", "never answer a ping"),
    FaultKind("encoding", "span", "write JSON where MessagePack was requested, and the reverse"),
    FaultKind(
        "late",
        "span",
        "report trades late",
        (),
        (_share(0.1, "trades"), _number("delay_s", 20.0, "session seconds"), _OF_SYMBOLS),
    ),
    FaultKind(
        "reorder",
        "span",
        "deliver events out of order",
        (),
        (_share(0.1, "events"), _number("within_s", 0.5, "at most so much later, in session seconds"), _OF_SYMBOLS),
    ),
    FaultKind("duplicate", "span", "send events twice", (), (_share(0.1, "events"), _OF_SYMBOLS)),
    FaultKind(
        "corrections",
        "span",
        "report trades at a wrong price and id, and correct them later",
        (),
        (_share(0.01, "trades"), _number("delay_s", 5.0, "session seconds"), _OF_SYMBOLS),
    ),
    FaultKind(
        "cancels",
        "span",
        "report trades that never were, and cancel them later",
        (),
        (_share(0.01, "trades"), _number("delay_s", 5.0, "session seconds"), _OF_SYMBOLS),
    ),
    FaultKind(
        "clock_skew",
        "span",
        "the venue's clock is off",
        (),
        (
            _number(
                "ms", None, "by so much, in ms of session time; negative: behind", low=-86_400_000, high=86_400_000
            ),
            _word("of", ("stamps", "clock"), "stamps", "the times of events, or the page /clock"),
        ),
    ),
    FaultKind(
        "halt",
        "market",
        "halt trading: a status at both ends, and no trade between",
        (),
        (
            _symbols("the halted symbols", required=True),
            _text("reason_code", "T1", "the venue's code of the reason"),
            _text("reason", "Halt - News Pending", "the reason"),
        ),
    ),
    FaultKind(
        "luld",
        "market",
        "publish price bands",
        (),
        (
            _symbols("their symbols", required=True),
            _number("down", None, "the lower band", high=1e9),
            _number("up", None, "the upper band", high=1e9),
            _text("indicator", "B", "the venue's code"),
        ),
    ),
    FaultKind("quiet", "market", "nothing happens at all", (), (_OF_SYMBOLS,)),
)
KIND_OF_NAME: Final = {kind.name: kind for kind in KINDS}

AT: Final = Parameter(
    "at",
    'seconds since the start of the play, or a time of day as "HH:MM" or "HH:MM:SS"',
    lambda value: isinstance(value, int | float | str),  # the parser checks more
    0,
    "when it happens or begins, in session time",
)
FOR_S: Final = _number("for_s", 0.0, "session seconds for which it lasts or may happen; default: to the end")
CONNECTION: Final = _whole("connection", 0, "only the connection of this number, from 1; default: any", 1)
AFTER_EVENTS: Final = _whole("after_events", 0, "only once the connection was sent so many events", 0)
TIMES: Final = _whole("times", 1, "how often it happens", 1)


def moment_keys(kind: FaultKind) -> tuple[Parameter, ...]:
    """The keys, beside `step`, that say when and where a fault of this kind happens."""
    if kind.role == "market":
        return (AT, FOR_S)
    if kind.role == "span":
        return (AT, FOR_S, CONNECTION)
    return (AT, FOR_S, CONNECTION, AFTER_EVENTS, TIMES) if "data" in kind.steps else (AT, FOR_S, CONNECTION, TIMES)
