import socket

import pytest
import ray

from actors.cluster import Cluster
from desk.model.errors import PlanError


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_an_address_where_nobody_listens_is_told_at_once() -> None:
    address = f"127.0.0.1:{free_port()}"

    with pytest.raises(PlanError) as told:
        Cluster(address, 1.0, "test")

    assert told.value.place == "--address"
    assert f"nothing listens at {address}" in told.value.found
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    "address", ["nowhere", "http://127.0.0.1:8265", "host:port", "127.0.0.1:99999", "ray://127.0.0.1:10001"]
)
def test_what_is_no_address_is_told_before_ray_is_asked(address: str) -> None:
    with pytest.raises(PlanError, match="no cluster to work on"):
        Cluster(address, 1.0, "test")

    assert not ray.is_initialized()
