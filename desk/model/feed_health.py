"""The state of a live feed: what it has been through since the session began."""

from typing import Final

import msgspec

NO_CONNECTION_YET: Final = "no connection yet"
"""Why a feed is down that has not tried to the end even once."""


class FeedHealth(msgspec.Struct, array_like=True):
    """Totals of a live feed, carried on through restarts of the producer.

    `subscribed`: the venue has acknowledged a subscription at least once. `up`: it stands now, or the venue has ended
    its play. `failures` counts attempts to connect that ended before a subscription stood. `outages` are the times
    without one, `down_ns` their length in session time, `last_outage` why the last one began. `last_failure` is why the
    last attempt or connection ended. `slow_clients` counts connections that the venue closed because the desk read too
    slowly; `mutes` those that the desk closed because nothing came, `mutes_in_a_row` the last of them without a tick
    since. `down_from_ns` is the session time since which the feed is down, where it has failed; `down_why` is why.
    `refused` are symbols by channel that the venue does not grant, `unknown` the messages of unknown kinds.
    `encoding` is the one that the venue used although another was asked for; "" where it did not. `is_failed`: a fault
    ended the feed, and is reported as that of the run. `early` and `late` count the ticks that were received before the
    session's start and after its stop.
    `jumps` counts the times that session time went ahead too far to make up for its seconds. `clock_steps` counts how
    often this machine's clock was set, `clock_silences` how often the venue's clock gave no answer of use for long;
    `clock_why` is why it gives none now, "" while it does.
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

    @property
    def refused_symbols(self) -> list[str]:
        """The symbols of which any channel is refused, sorted."""
        return sorted(set().union(*self.refused.values()))


class Freshness(msgspec.Struct, frozen=True):
    """How far a live feed's data can be trusted at one moment.

    `why` is why its data do not count as fresh; "" while the subscription stands and the venue answers. `silent_ns` is
    the wall time since the last proof that nothing is missing: a message or a pong under a subscription.
    """

    why: str = ""
    silent_ns: int = 0
