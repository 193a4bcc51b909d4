"""Whole desks on hostile venues: the desk's promises hold for any messages in any order and fragmentation.

No exception but a DeskError leaves the feed, the accounts balance, there is no entry on data older than
`max_data_latency_s`, memory has a bound, and the drain ends.
"""

import json
import struct
import tracemalloc
from collections.abc import Callable
from itertools import chain
from typing import Any, Literal

import msgspec
import pytest
from hostile_venue import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    START_NS,
    TEXT,
    LiveDesk,
    Step,
    advance,
    answer,
    clock_says,
    drip,
    drop,
    forge,
    frame,
    fresh,
    packed,
    ponging,
    quote,
    stale,
    stamp,
    step_clock,
    trade,
    write,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from desk.feeds.live.freshness import FreshnessTracker
from desk.feeds.live.socket_feed import SocketFeed
from desk.feeds.live.tick_times import TickTimes
from desk.model.block_rows import EXAMPLES
from desk.model.errors import DeskError
from desk.model.feed_health import Freshness
from desk.model.units import SECOND_NS
from desk.venues.alpaca.market.codec import MAX_CONDITIONS
from desk.venues.frame_codec import MAX_KINDS

HOUR_S = 3_600
TEN_YEARS_S = 315_360_000
ABSENT = "absent"

seconds = st.sampled_from([0, 1, -1, 9, -9, 11, -11, 60, -60, HOUR_S, -HOUR_S, TEN_YEARS_S, -TEN_YEARS_S])
instants = st.one_of(
    seconds.map(lambda s: START_NS + s * SECOND_NS),
    st.sampled_from([0, -1, 1, 2**62, 2**63 - 1, 2**63, 2**64, 7_258_118_400 * SECOND_NS, -62_135_596_800 * SECOND_NS]),
)
stamps = st.one_of(
    instants.map(stamp),
    st.builds(Ext, st.integers(-128, 127), st.binary(max_size=13)),
    st.binary(max_size=12).map(lambda data: Ext(-1, data)),
)
texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "A", "B", "*", "x" * 41, "y" * 70_000, "\x1b[31m", "a\nb", "\x00", "\u202e", "authenticated"]),
)
numbers = st.one_of(
    st.sampled_from([0, 1, -1, 2**31, 2**63 - 1, 2**64 - 1, -(2**63), 1e-308, 1e308, -0.0]),
    st.sampled_from([float("nan"), float("inf"), float("-inf")]),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
)
nested = st.integers(1, 400).map(lambda depth: [json.loads("[" * depth + "]" * depth)])
anything = st.one_of(
    st.none(), st.booleans(), numbers, texts, st.binary(max_size=20), stamps, nested,
    st.lists(st.one_of(texts, numbers), max_size=40), st.dictionaries(texts, numbers, max_size=3),
)  # fmt: skip
sound = st.sampled_from(
    [
        trade(START_NS),
        quote(START_NS),
        {"T": "c", "S": "A", "t": stamp(START_NS), "x": "V", "oi": 1, "op": 10, "os": 1, "ci": 2, "cp": 11, "cs": 1},
        {"T": "x", "S": "A", "t": stamp(START_NS), "i": 1, "x": "V", "p": 10.0, "s": 1},
        {"T": "success", "msg": "connected"},
        {"T": "success", "msg": "authenticated"},
        {"T": "subscription", "trades": ["A"], "quotes": ["B"]},
        {"T": "subscription", "trades": [f"S{n}" for n in range(600)], "quotes": None},
        {"T": "error", "code": 407, "msg": "slow client"},
        {"T": "error", "code": 500, "msg": "internal"},
        {"T": "error", "code": 406},
        {"T": "error", "code": 402, "msg": "auth failed"},
        {"T": "b", "S": "A"},
        {"T": "s"},
        {"T": "unheard of"},
        {"T": None},
        {},
    ]
)
KEYS = ["T", "S", "t", "p", "s", "i", "x", "c", "z", "bp", "bs", "ap", "as", "bx", "ax", "oi", "op", "os", "oc", "ci",
        "cp", "cs", "cc", "msg", "code", "trades", "quotes"]  # fmt: skip
changes = st.dictionaries(st.sampled_from(KEYS), st.one_of(st.just(ABSENT), anything), max_size=4)


@st.composite
def messages(draw: st.DrawFn) -> Any:
    """A message of some kind, with some of its fields changed."""
    message = draw(sound) | draw(st.one_of(st.just({}), st.builds(lambda t: {"t": t}, stamps), changes, changes))
    return {key: value for key, value in message.items() if not (isinstance(value, str) and value == ABSENT)}


def as_json(message: Any) -> bytes:
    return json.dumps(message, default=str, skipkeys=True).encode("utf-8", "surrogatepass")


def as_msgpack(message: Any) -> bytes:
    return msgspec.msgpack.encode(message, enc_hook=str)


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    encode = draw(st.sampled_from([as_msgpack, as_msgpack, as_json]))
    try:
        payload = encode(
            draw(anything) if draw(st.integers(0, 9)) == 9 else draw(st.lists(messages(), min_size=1, max_size=6))
        )
    except (OverflowError, UnicodeEncodeError):
        payload = b"\xc1"
    if draw(st.integers(0, 9)) == 9:
        at = draw(st.integers(0, max(len(payload) - 1, 0)))
        payload = payload[:at] + draw(st.binary(max_size=6)) + payload[at + 1 :]
    return draw(st.sampled_from([*[payload] * 16, b"[" * 100_000, b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff", b""]))


@st.composite
def wires(draw: st.DrawFn) -> bytes:
    """Bytes of one message or so: whole, in fragments with control frames between, or against the protocol."""
    payload, opcode = draw(payloads()), draw(st.sampled_from([BINARY, BINARY, TEXT]))
    way = draw(st.integers(0, 11))
    if way == 0:
        cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
        parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
        between = draw(st.sampled_from([b"", frame(b"x", PING), frame(b"", PONG)]))
        return between.join(
            frame(part, opcode if n == 0 else 0, fin=n == len(parts) - 1) for n, part in enumerate(parts)
        )
    if way == 1:
        odd = [
            frame(b"x" * 126, PING), frame(b"", 0), frame(b"", 3), frame(b"\xff\xff", CLOSE), frame(b"", CLOSE),
            frame(struct.pack(">H", 1000) + b"\xff", CLOSE), b"\xff\xff\xff\xff", b"\x82\x7f" + b"\xff" * 8,
            b"\x82\xfe" + b"\x00" * 9, frame(b"", PING) * 3_000,
            frame(b"", TEXT, fin=False) + frame(b"", 0, fin=False) * 3_000,
            frame(b"x", PING)[:1],
        ]  # fmt: skip
        return draw(st.sampled_from(odd))
    if way == 2:
        return draw(st.binary(max_size=60))
    return frame(payload, opcode)


HANDSHAKES = [
    None, None, b"", b"\x00" * 500, b"HTTP/1.1 500 no\r\n\r\n", b"HTTP/1.1 101 x\r\n\r\n",
    b"HTTP/1.1 200" + b"x" * 9_000,
    b"HTTP/1.1 101 x\r\n" + b"".join(b"h%d: %s\r\n" % (n, b"v" * 8_000) for n in range(40)),
    b"HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ffffffff\r\n",
    b"HTTP/1.1 429 x\r\nContent-Length: 99999999999\r\n\r\nx",
]  # fmt: skip

steps = st.one_of(
    st.builds(forge, wires(), st.sampled_from([1, 1, 1, 2, 5, 20])),
    st.builds(forge, wires(), st.sampled_from([1, 1, 1, 2, 5, 20])),
    st.just([fresh(), advance(1.0)]),
    st.integers(1, 8).map(lambda count: [fresh(), advance(1.0)] * count),
    st.builds(
        lambda age, count: [stale(age), advance(1.0)] * count, seconds.filter(lambda s: s >= 0), st.integers(1, 20)
    ),
    st.sampled_from([0.3, 1.0, 3.0, 12.0, 40.0]).map(lambda s: [advance(s)]),
    st.integers(1, 30).map(lambda count: [advance(1.0)] * count),
    st.booleans().map(lambda reset: [drop(reset=reset)]),
    st.builds(
        lambda wire, at: [*write(wire[: at % max(len(wire), 1)]), drop(reset=False)], wires(), st.integers(0, 400)
    ),
    st.integers(1, 12).map(drip),
    st.booleans().map(lambda pongs: [ponging(pongs=pongs)]),
    st.builds(lambda answered, grants: [answer(answered, grants=grants)], st.sampled_from(HANDSHAKES), st.booleans()),
    st.sampled_from([-HOUR_S, -2.0, 2.0, HOUR_S]).map(lambda s: [step_clock(s), advance(1.0), advance(1.0)]),
    st.sampled_from([3 * HOUR_S, TEN_YEARS_S]).map(lambda s: [advance(s)]),
)
CLOCKS = [None, None, b"", b"HTTP/1.0 500 no\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 70_000]


@st.composite
def clock_answers(draw: st.DrawFn) -> bytes | None:
    """An answer of the venue's clock: the time, rubbish, or a sound answer with some of its fields changed."""
    if draw(st.booleans()):
        return draw(st.sampled_from(CLOCKS))
    spoken = {
        "session_ns": draw(instants | anything), "wall_ns": draw(instants | anything),
        "speed": draw(st.sampled_from([1.0, 0, 1e6, -1, None]) | anything),
        "state": draw(st.sampled_from(["playing", "playing", "waiting", "ended", "unheard of"]) | anything),
    }  # fmt: skip
    sound = {"session_ns": START_NS, "wall_ns": START_NS, "speed": 1.0, "state": "playing"}
    return b"HTTP/1.0 200 OK\r\n\r\n" + as_json(sound | draw(st.sampled_from([spoken, {}, {"session_ns": 1}])))


clock_steps = clock_answers().map(lambda answered: [clock_says(answered), *[advance(1.0)] * 4])


def scripts(of: st.SearchStrategy[list[Step]]) -> st.SearchStrategy[list[Step]]:
    """Whole scripts of these parts; every other one begins with a venue that is traded on."""
    begun = st.sampled_from([[], [fresh(), advance(1.0)] * 3])
    parts = st.integers(1, 25).flatmap(lambda size: st.lists(of, min_size=size, max_size=size))
    return st.builds(lambda first, parts: [*first, *chain.from_iterable(parts)], begun, parts)


plays = st.one_of(
    st.tuples(st.just("real"), scripts(steps)),
    st.tuples(st.just("venue"), scripts(st.one_of(steps, steps, clock_steps))),
)
Play = tuple[Literal["real", "venue"], list[Step]]


def check(script: list[Step], session_clock: Literal["real", "venue"] = "real") -> LiveDesk:
    """Run a script. A fault of the venue that ends the desk is one DeskError; all else ends in balanced accounts."""
    desk = LiveDesk(script=script, session_clock=session_clock)
    try:
        desk.run()
    except DeskError:
        return desk
    finally:
        assert desk.faults == []
        assert len(desk.live.health.unknown) <= MAX_KINDS + 1
        assert len(desk.live.counts.examples) <= EXAMPLES
        assert len(desk.live._protocol.codec._conditions) <= MAX_CONDITIONS
    assert desk.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    msgspec.json.encode(desk.loop.watch.report())
    return desk


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(plays)
def test_whatever_a_venue_does_the_promises_hold(play: Play) -> None:
    check(play[1], play[0])


@pytest.mark.trial
@settings(max_examples=1_000, suppress_health_check=list(HealthCheck))
@given(plays)
def test_whatever_a_venue_does_the_promises_hold_thousands_of_times(play: Play) -> None:
    check(play[1], play[0])


GOOD = [fresh(), advance(1.0)]
OLD = [stale(60), advance(1.0)]
UNUSABLE = [*write(packed(trade(START_NS) | {"p": "ten"})), advance(1.0)]


def blind(patch: pytest.MonkeyPatch) -> None:
    """The desk takes every connection for one that stands and answers."""
    patch.setattr(FreshnessTracker, "at", lambda *_: Freshness())
    patch.setattr(SocketFeed, "down_from_ns", None)


def ageless(patch: pytest.MonkeyPatch) -> None:
    """The desk takes every tick for one of now."""
    patch.setattr(TickTimes, "lag_ns", lambda *_: 0)
    patch.setattr(TickTimes, "doubt_ns", lambda *_: None)


@pytest.mark.parametrize(
    ("broken", "script", "why"),
    [
        (blind, [answer(b""), drop(reset=True), *[advance(1.0)] * 3], "the connection is lost"),
        (blind, [answer(None, grants=False), drop(reset=False), *[advance(1.0)] * 3], "no subscription was granted"),
        (blind, [ponging(pongs=False), *[advance(1.0)] * 8], "nothing came for"),
        (blind, [ponging(pongs=False), *drip(8)], "nothing came for"),
        (ageless, OLD * 3, "the data are"),
        (ageless, [*forge(packed({"T": "b", "S": "A"})), *OLD] * 3, "the data are"),
        (ageless, UNUSABLE * 15, "the data are"),
    ],
)
def test_a_desk_that_does_not_look_is_found_out(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None], script: list[Step], why: str
) -> None:
    broken(monkeypatch)

    desk = LiveDesk(script=[*GOOD * 5, *script]).run()

    assert any(why in fault for fault in desk.faults)


@pytest.mark.parametrize("session_clock", ["real", "venue"])
def test_a_good_venue_is_traded_on(session_clock: Literal["real", "venue"]) -> None:
    desk = check([fresh(), advance(1.0)] * 20, session_clock)

    assert desk.entries > 10


def test_an_old_feed_and_a_lost_one_are_not_traded_on() -> None:
    good = [fresh(), advance(1.0)]
    desk = check(
        [*good * 5, *[stale(60), advance(1.0)] * 20, *good * 3, answer(b""), drop(reset=True), *[advance(1.0)] * 20]
    )

    assert 0 < desk.entries < 2 * 20


@pytest.mark.parametrize("wrong", [{"t": Ext(-1, b"")}, {"p": "ten"}, {"t": stamp(1)}])
def test_ticks_of_which_none_can_be_used_make_the_data_no_fresher(wrong: dict[str, Any]) -> None:
    good, bad = [fresh(), advance(1.0)], [*write(packed(trade(START_NS) | wrong)), advance(1.0)]

    desk = check([*good * 5, *bad * 25, *good * 3])

    accepted = [decision.intent for decision in desk.book.verdicts.values() if decision.outcome == "accepted"]
    entered_s = {(intent.decision_ns - START_NS) // SECOND_NS for intent in accepted}
    assert {3, 4, 5} < entered_s
    assert not entered_s & set(range(18, 31))
    assert entered_s & {32, 33}


def test_memory_does_not_grow_with_what_a_venue_invents() -> None:
    def rounds(first: int) -> list[Step]:
        made = []
        for n in range(first, first + 15):
            invented = [
                {"T": f"kind {n} {m}"} if m % 3 == 0 else trade(START_NS, f"S{n % 10}", c=[f"{n}{m}"], x=f"X{m % 7}")
                for m in range(120)
            ]
            made += [*forge(packed(*invented)), advance(1.0)]
        return made

    sizes: list[int] = []
    tracemalloc.start()
    try:
        script: list[Step] = []
        for n in range(4):
            script += [*rounds(15 * n), lambda desk: sizes.append(tracemalloc.get_traced_memory()[0])]
        desk = check([fresh(), *script])
    finally:
        tracemalloc.stop()

    assert len(desk.live.health.unknown) <= MAX_KINDS + 1
    assert sizes[-1] - sizes[-2] < 4 << 20
