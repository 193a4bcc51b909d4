"""The health of a live feed: its connection now, and its failures since the session began."""

from typing import Final

import msgspec

from desk.model.notices import TradingStatus, VenueBar

NO_CONNECTION_YET: Final = "no connection yet"
"""The reason of a feed that is down and has not yet completed its first attempt."""


class FeedHealth(msgspec.Struct, array_like=True):
    """Totals of a live feed, kept across restarts of the producer.

    `subscribed`: the venue has acknowledged a subscription at least once. `up`: the subscription is in force, or the
    venue has ended its play. `failures` counts attempts to connect that ended before a subscription was acknowledged.
    `outages` counts the times without one, `down_ns` is their length in session time, `last_outage` the reason of the
    last one. `last_failure` is the reason why the last attempt or connection ended. `slow_clients` counts connections
    that the venue closed because the desk read too slowly; `mutes` those that the desk closed because no data arrived,
    `mutes_in_a_row` the most recent of them, without a tick in between. `down_from_ns` is the session time since which
    a failed feed is down, `down_why` the reason. `refused` are the symbols that the venue refuses, by channel;
    `unknown` counts messages of unknown kinds, `unmapped` codes for which the desk has no letter. `encoding` is the
    encoding that the venue used instead of the requested one; "" if it used that. `is_failed`: a fault ended the feed
    and is reported as the run's. `early` and `late` count the ticks received before the session's start and after its
    stop. `jumps` counts advances of session time that were too large to produce every second in between. `clock_steps`
    counts how often this machine's clock was set, `clock_silences` how often the venue's clock gave no usable answer
    for long; `clock_why` is the reason if it gives none now, "" while it does. `dropped` are the channels of the
    plan that the venue refuses, with the reason, `dropped_helpers` those that the desk had added.
    """

    subscribed: bool = False
    up: bool = False
    failures: int = 0
    reconnects: int = 0
    outages: int = 0
    down_ns: int = 0
    last_outage: str = ""
    down_from_ns: int | None = None
    down_why: str = ""
    last_failure: str = ""
    slow_clients: int = 0
    mutes: int = 0
    mutes_in_a_row: int = 0
    refused: dict[str, list[str]] = {}
    unknown: dict[str, int] = {}
    encoding: str = ""
    is_failed: bool = False
    early: int = 0
    late: int = 0
    jumps: int = 0
    clock_steps: int = 0
    clock_silences: int = 0
    clock_why: str = ""
    unmapped: dict[str, int] = {}
    dropped: dict[str, str] = {}
    dropped_helpers: dict[str, str] = {}

    @property
    def refused_symbols(self) -> list[str]:
        """The symbols that the venue refuses on any channel, sorted."""
        return sorted(set().union(*self.refused.values()))


class Freshness(msgspec.Struct, frozen=True):
    """The freshness of a live feed's data at one moment.

    `why` is the reason why the data do not count as fresh; "" while the subscription is in force and the venue answers.
    `silent_ns` is the wall time since the last proof that nothing is missing: a message or a pong under a subscription.
    """

    why: str = ""
    silent_ns: int = 0


class SymbolActivity(msgspec.Struct):
    """What a live feed read of single symbols: those that traded, and the venue's bars and statuses, in order."""

    traded: set[str] = msgspec.field(default_factory=set)
    bars: list[VenueBar] = msgspec.field(default_factory=list)
    statuses: list[TradingStatus] = msgspec.field(default_factory=list)
