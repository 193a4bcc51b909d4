"""A plan's history and market of Alpaca.

Tests: tests/desk/venues/alpaca/test_alpaca_clients.py
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from desk.config import Plan, load_settings
from desk.config.plan_urls import is_loopback
from desk.files.cache_folder import cache_folder
from desk.venues.alpaca.rest.addresses import RestAddresses, history_feed, rest_addresses, snapshot_feed
from desk.venues.alpaca.rest.clients import AlpacaClients
from desk.venues.alpaca.rest.history import AlpacaHistory
from desk.venues.alpaca.rest.reference import AlpacaReference
from desk.venues.alpaca.rest.snapshots import AlpacaMarket

EVERY_DAY: Final = "24/7"


def alpaca_history(plan: Plan, keys: Sequence[SecretStr], stream_url: str) -> AlpacaHistory:
    """The history of the feed that the stream carries. Raises PlanError."""
    addresses, feed = rest_addresses(plan), history_feed(stream_url)
    key, secret = keys
    return AlpacaHistory(AlpacaClients(addresses, key, secret, "history"), feed, f"alpaca {feed} history")


def alpaca_market(plan: Plan, keys: Sequence[SecretStr], stream_url: str, day: date) -> AlpacaMarket:
    """The market of the feed that the stream carries. Raises PlanError."""
    addresses, feed = rest_addresses(plan), snapshot_feed(stream_url)
    key, secret = keys
    clients = AlpacaClients(addresses, key, secret, "scans")
    exchange_day = None if plan.session.calendar == EVERY_DAY else day
    reference = AlpacaReference(clients, day, cache_of(addresses))
    return AlpacaMarket(clients, reference, feed, f"alpaca {feed} snapshots", plan.feed.scanned, exchange_day)


def cache_of(addresses: RestAddresses) -> Path | None:
    """The folder of what is cached of a server; None for one on this machine, whose market may change any time."""
    server = urlsplit(addresses.trading)
    if is_loopback(server.hostname or ""):
        return None
    try:
        return cache_folder(load_settings()) / "alpaca" / str(server.hostname)
    except OSError:  # there is no home folder
        return None
