"""The feed factory or venue of a plan's `kind`. `desk.config.kinds` lists the kinds."""

from importlib import import_module
from typing import Any

from desk.config import Plan
from desk.config.kinds import BROKER_KINDS, FEED_KINDS
from desk.orders.order_venue import OrderVenue
from desk.venues.feed_factory import LiveFactory, ReplayFactory


def feed_factory(plan: Plan) -> ReplayFactory | LiveFactory:
    """The factory of the plan's kind of feed."""
    factory: ReplayFactory | LiveFactory = _instance_of(FEED_KINDS[plan.feed.kind].factory)
    return factory


def order_venue(plan: Plan) -> OrderVenue:
    """The venue for the plan's orders."""
    venue: OrderVenue = _instance_of(BROKER_KINDS[plan.broker.kind])
    return venue


def _instance_of(path: str) -> Any:
    """An instance of the class at "module:Class"."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)()
