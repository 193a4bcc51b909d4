"""Ray accepts the autoscaler's configuration. The elastic trial shows that it works."""

import pytest

from actors.ray_internals import names
from benchmarks.autoscaler import ClusterSize

prepare_config, validate_config = names.PREPARE_CONFIG.get(), names.VALIDATE_CONFIG.get()


@pytest.mark.parametrize("size", [ClusterSize(), ClusterSize(nodes=2, cpus=2, idle_s=6.0)])
def test_ray_accepts_the_configuration(size: ClusterSize) -> None:
    config = prepare_config(size.config("127.0.0.2:6400"))

    validate_config(config)

    worker = config["available_node_types"]["worker"]
    assert (worker["min_workers"], worker["max_workers"]) == (0, size.nodes)
    assert worker["resources"]["CPU"] == size.cpus
    assert config["idle_timeout_minutes"] * 60 == pytest.approx(size.idle_s)


def test_a_key_that_ray_does_not_know_is_refused() -> None:
    config = prepare_config(ClusterSize().config("127.0.0.2:6400") | {"idle_timeout": 6})

    with pytest.raises(Exception, match="idle_timeout"):
        validate_config(config)
