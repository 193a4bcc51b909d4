"""The figures of a venue, published at /stats and printed at the end.

Tests: tests/console/test_console_venue.py
"""

import msgspec

from desk.local_venue.client import Client
from desk.local_venue.client_registry import ClientRegistry
from desk.local_venue.faults.fault_schedule import FaultSchedule
from desk.local_venue.play_moment import PlayState
from desk.local_venue.player import Player
from desk.local_venue.rest.rest_door import RestDoor
from desk.model.units import MS_NS, SECOND_NS


class ClientStats(msgspec.Struct):
    """One connected client; `sent` counts events; `buffered_bytes` are buffered for it in this process."""

    endpoint: str
    encoding: str
    sent: int
    buffered_bytes: int


class VenueStats(msgspec.Struct):
    """Events offered by the schedule, and sent (to all clients, including former ones).

    `schedule_lag_ms` is the delay of the last frame, `max_schedule_lag_ms` the greatest so far. `faults` are the
    injected faults by kind: connections, frames or events that one concerned. `requests` are those to the REST
    endpoints, `limited` those of them that the rate limit refused. `connections` counts those to the streams so far.
    """

    state: PlayState
    elapsed_s: float
    rounds: int
    offered: int
    offered_per_s: float
    sent: int
    dropped_clients: int
    schedule_lag_ms: float
    max_schedule_lag_ms: float
    clients: list[ClientStats]
    faults: dict[str, int] = {}
    requests: int = 0
    limited: int = 0
    connections: int = 0


def client_stats(client: Client) -> ClientStats:
    """The figures of one client."""
    encoding = "msgpack" if client.protocol.binary else "json"
    return ClientStats(client.protocol.endpoint, encoding, client.sent, client.buffered_bytes)


def venue_stats(player: Player, registry: ClientRegistry, faults: FaultSchedule | None, rest: RestDoor) -> VenueStats:
    """The figures now."""
    elapsed_s = player.elapsed_ns / SECOND_NS
    clients = list(map(client_stats, registry.clients))
    return VenueStats(
        state=player.state,
        elapsed_s=elapsed_s,
        rounds=player.rounds,
        offered=player.offered,
        offered_per_s=player.offered / elapsed_s if elapsed_s else 0.0,
        sent=registry.sent_before + sum(client.sent for client in clients),
        dropped_clients=registry.dropped + sum(client.dropped for client in registry.clients),
        schedule_lag_ms=player.lag_ns / MS_NS,
        max_schedule_lag_ms=player.max_lag_ns / MS_NS,
        clients=clients,
        faults={} if faults is None else dict(faults.counts),
        connections=registry.opened,
        requests=rest.requests,
        limited=rest.limited,
    )
