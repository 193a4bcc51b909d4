from typing import get_args

from desk.model.orders import OrderKind
from desk.orders import OrderVenue
from desk.venues.simulated import SimulatedVenue


def test_the_simulated_venue_takes_every_kind_of_order() -> None:
    venue: OrderVenue = SimulatedVenue()

    assert venue.simulated
    assert venue.kinds == frozenset(get_args(OrderKind))
