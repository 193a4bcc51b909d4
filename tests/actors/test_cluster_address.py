import socket

import pytest
import ray

from actors.ray_cluster.cluster import Cluster
from desk.model.errors import PlanError


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_an_address_where_nothing_listens_is_reported_at_once() -> None:
    address = f"127.0.0.1:{free_port()}"

    with pytest.raises(PlanError) as told:
        Cluster(address, 1.0, "test")

    assert told.value.place == "--address"
    assert f"nothing listens at {address}" in told.value.found
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    "address", ["nowhere", "http://127.0.0.1:8265", "host:port", "127.0.0.1:99999", "ray://127.0.0.1:10001"]
)
def test_what_is_no_address_is_reported_before_ray_is_asked(address: str) -> None:
    with pytest.raises(PlanError, match="no cluster to join"):
        Cluster(address, 1.0, "test")

    assert not ray.is_initialized()


@pytest.mark.parametrize("said", ["http://127.0.0.1:8265", "nowhere", "ray://127.0.0.1:10001", "127.0.0.1:1"])
@pytest.mark.parametrize("address", [None, "auto"])
def test_a_bad_address_of_the_environment_is_reported_as_such(
    monkeypatch: pytest.MonkeyPatch, said: str, address: str | None
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", said)

    with pytest.raises(PlanError) as told:
        Cluster(address, 1.0, "test")

    assert told.value.place == "environment, RAY_ADDRESS"
    assert said in told.value.found
    assert "Unset RAY_ADDRESS" in told.value.remedy


def test_an_address_on_the_command_line_goes_before_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")

    with pytest.raises(PlanError) as told:
        Cluster(f"127.0.0.1:{free_port()}", 1.0, "test")

    assert told.value.place == "--address"
