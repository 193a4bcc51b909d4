"""Warnings and problems of a run about its feed.

Tests: tests/desk/producer/feed_watch/test_watch.py
"""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from desk.model.feed_health import NO_CONNECTION_YET, FeedHealth
from desk.model.units import SECOND_NS
from desk.producer.feed_watch.clock_problems import clock_problems, clock_warnings
from desk.telemetry import formatting

MAX_KINDS_SHOWN: Final = 10
MANY_SILENT_CONNECTIONS: Final = 2


class FeedEnd(msgspec.Struct, frozen=True):
    """The final state of a feed: totals, and messages about skew, age, silent and stale symbols ("" for none).

    `open_s` counts the seconds in which the exchange was open and the feed subscribed. `down_s`: how long it is down.
    """

    place: str
    live: bool
    health: FeedHealth
    received: int
    skipped: int
    open_s: int
    down_s: float
    is_old: bool
    skew: str
    age: str
    silent: str
    stale: str = ""
    was_stale: str = ""


def feed_warnings(ending: FeedEnd) -> list[str]:
    """Faults that healed, or that are harmless."""
    lines = [
        *_healed(ending),
        *clock_warnings(ending.place, ending.health),
        _outside(ending),
        ending.silent,
        ending.was_stale,
        ending.age,
    ]
    return [line for line in lines if line]


def feed_problems(ending: FeedEnd) -> list[str]:
    """Faults that did not heal, and refused subscriptions."""
    lines = [*_connection(ending), *_refused(ending), ending.stale, ending.skew]
    lines += clock_problems(ending.place, ending.health)
    if ending.live and ending.is_old and ending.health.up:
        lines.append(f"{ending.place}: the data were still too old when the run ended. Check connection and load.")
    return [line for line in lines if line]


def refusal(place: str, channel: str, symbols: Collection[str]) -> str:
    """The message about symbols for which the venue does not grant this channel."""
    count = formatting.some(len(symbols), "symbol")
    return f"{place}: the venue does not grant the {channel} of {count}: {formatting.names(symbols)}"


def _healed(ending: FeedEnd) -> list[str]:
    health, place = ending.health, ending.place
    lines = []
    outages = health.outages - (0 if health.up or not health.outages else 1)
    if outages:
        times = "once" if outages == 1 else f"{outages:,} times"
        lines.append(
            f"{place}: without a subscription {times}, {health.down_ns / SECOND_NS:,.1f} s in all, "
            f"{_attempts(health.failures)}; the last time: {health.last_outage}"
        )
    if health.slow_clients:
        lines.append(
            f"{place}: the venue closed {formatting.some(health.slow_clients, 'connection')} because the desk read too "
            "slowly (407)"
        )
    if health.mutes:
        lines.append(
            f"{place}: {formatting.some(health.mutes, 'connection')} delivered nothing for a long time and had to be "
            "reopened"
        )
    for channel, why in sorted(health.dropped_helpers.items()):
        lines.append(f"{place}: the channel {channel}, which the plan does not name, was left out: {why}")
    if health.encoding:
        lines.append(
            f"{place}: the venue sent {health.encoding} instead of the requested encoding; the desk switched to it"
        )
    if health.unknown:
        kinds = {repr(kind): count for kind, count in health.unknown.items()}
        lines.append(f"{place}: messages of unknown kinds were ignored: {_most(kinds, 'kinds')}")
    if health.unmapped:
        lines.append(f"{place}: codes without a letter were left out: {_most(health.unmapped, 'codes')}")
    return lines


def _most(counts: Mapping[str, int], what: str) -> str:
    """The names with the highest counts, and how many there are more."""
    names = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} {count:,}" for name, count in names[:MAX_KINDS_SHOWN])
    return shown + (f", and {len(names) - MAX_KINDS_SHOWN:,} {what} more" if len(names) > MAX_KINDS_SHOWN else "")


def _outside(ending: FeedEnd) -> str:
    """The skipped ticks of a live feed by reason; "" if there are none, or if no tick was received."""
    health = ending.health
    unwanted = ending.skipped - health.early - health.late
    counts = {"before the session's start": health.early, "after its stop": health.late, "not subscribed": unwanted}
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.items() if count > 0)
    if not ending.live or not ending.received or not reasons:
        return ""
    return f"{ending.place}: skipped {formatting.some(ending.skipped, 'tick')}: {reasons}"


def _connection(ending: FeedEnd) -> list[str]:
    if not ending.live or ending.health.is_failed:
        return []
    health, place = ending.health, ending.place
    if not health.subscribed and ending.received:
        return [f"{place}: the run ended before its producer's successor was connected."]
    if not health.subscribed:
        if not health.failures and health.last_failure in ("", NO_CONNECTION_YET):
            return [f"{place}: the run ended before the first connection; nothing was received."]
        tried = f"{_attempts(health.failures)}, the last: " if health.failures else ""
        last = health.last_failure.removesuffix(".")
        return [f"{place}: never subscribed; {tried}{last}. Check url, keys and network."]
    lines = []
    if not health.up:
        lines.append(f"{place}: down for {ending.down_s:,.0f} s when the run ended: {health.last_failure}")
    if not ending.received and ending.skipped:
        lines.append(
            f"{place}: no tick was accepted: {formatting.some(ending.skipped, 'tick')} outside the session, or not "
            "subscribed. Check [session] calendar, start and stop, symbols, channels, and the venue's times."
        )
    elif not ending.received:
        subscribed = "though subscribed" if ending.open_s else "subscribed for no second of the exchange's hours"
        lines.append(f"{place}: no tick was received, {subscribed}. Check symbols and channels.")
    elif health.mutes_in_a_row >= MANY_SILENT_CONNECTIONS and health.up:
        lines.append(
            f"{place}: the last {health.mutes_in_a_row:,} connections delivered nothing, though the exchange was open"
        )
    return lines


def _refused(ending: FeedEnd) -> list[str]:
    health, place = ending.health, ending.place
    lines = [f"{place}: the channel {channel} was left out: {why}" for channel, why in sorted(health.dropped.items())]
    return lines + [refusal(place, channel, symbols) for channel, symbols in sorted(health.refused.items())]


def _attempts(failures: int) -> str:
    return formatting.some(failures, "failed attempt")
