"""cluster.yaml passes Ray's own offline validation, and opens no port to the internet."""

import json
from collections.abc import Callable
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import ray
import yaml
from jsonschema import ValidationError  # type: ignore[import-untyped]

from actors.ray_internals import names
from console.commands.submit import CLOSING_S

prepare_config, validate_config = names.PREPARE_CONFIG.get(), names.VALIDATE_CONFIG.get()
CONTROL_ACTORS = ("producer", "scanner", "broker", "ledger", "keeper")
ROOT = Path(__file__).resolve().parents[1]
CLUSTER = ROOT / "cluster.yaml"
ROLE = ROOT / "docs" / "how-to" / "aws-head-role.json"


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CLUSTER.read_text(encoding="utf-8"))
    return loaded


def option(command: str, name: str) -> str:
    return next(word.partition("=")[2] for word in command.split() if word.startswith(f"--{name}="))


def environment(cluster: dict[str, Any]) -> dict[str, str]:
    options = [entry.partition(" ") for entry in cluster["docker"]["run_options"]]
    return dict(value.split("=", 1) for name, _, value in options if name == "--env")


def test_ray_accepts_it_without_starting_anything(cluster: dict[str, Any]) -> None:
    prepared = prepare_config(deepcopy(cluster))

    validate_config(prepared)

    assert not ray.is_initialized()


def test_nothing_is_left_to_rays_own_defaults(cluster: dict[str, Any]) -> None:
    prepared = prepare_config(deepcopy(cluster))

    assert set(prepared) == set(cluster)


def unknown_key(cluster: dict[str, Any]) -> None:
    cluster["idle_timeout_minute"] = 5


def unknown_node_key(cluster: dict[str, Any]) -> None:
    cluster["available_node_types"]["worker.consumer"]["max_worker"] = 8


def half_a_cpu(cluster: dict[str, Any]) -> None:
    cluster["available_node_types"]["worker.consumer"]["resources"]["CPU"] = 0.5


def absent_head_type(cluster: dict[str, Any]) -> None:
    cluster["head_node_type"] = "absent"


def more_nodes_than_allowed(cluster: dict[str, Any]) -> None:
    cluster["available_node_types"]["worker.consumer"]["min_workers"] = cluster["max_workers"] + 1


@pytest.mark.parametrize(
    ("break_it", "error"),
    [
        (unknown_key, ValidationError),
        (unknown_node_key, ValidationError),
        (half_a_cpu, ValidationError),
        (absent_head_type, ValueError),
        (more_nodes_than_allowed, ValueError),
    ],
)
def test_ray_refuses_it_when_broken(
    cluster: dict[str, Any], break_it: Callable[[dict[str, Any]], None], error: type[Exception]
) -> None:
    broken = deepcopy(cluster)
    break_it(broken)

    with pytest.raises(error):
        validate_config(prepare_config(broken))


def test_the_dashboard_listens_on_loopback_only(cluster: dict[str, Any]) -> None:
    start = cluster["head_start_ray_commands"][-1]

    assert option(start, "dashboard-host") == "127.0.0.1"
    assert "0.0.0.0" not in CLUSTER.read_text(encoding="utf-8")


def test_every_node_asks_for_the_token_of_the_mounted_secrets_folder(cluster: dict[str, Any]) -> None:
    variables = environment(cluster)

    assert variables["RAY_AUTH_MODE"] == "token"
    assert variables["RAYDESK_SECRETS_DIR"].replace("/home/ray", "~") in cluster["file_mounts"]
    assert variables["RAY_AUTH_TOKEN_PATH"].startswith(variables["RAYDESK_SECRETS_DIR"] + "/")


def test_on_every_node_only_its_user_can_read_the_secrets(cluster: dict[str, Any]) -> None:
    assert cluster["setup_commands"][0] == "chmod -R go= ~/.raydesk/secrets"
    assert cluster["file_mounts"]["~/.raydesk/secrets"] == "~/.raydesk/secrets"


def test_every_node_is_in_a_security_group_that_the_user_names(cluster: dict[str, Any]) -> None:
    """Ray leaves such groups alone; to one that it makes it adds ssh from everywhere, whatever else is named."""
    groups = {name: node["node_config"]["SecurityGroupIds"] for name, node in cluster["available_node_types"].items()}

    assert groups == {"head": ["sg-FILL-IN"], "worker.consumer": ["sg-FILL-IN"]}
    assert "security_group" not in cluster["provider"]


def test_only_the_head_has_a_role_and_it_is_not_rays_own(cluster: dict[str, Any]) -> None:
    """Where the head names no profile, Ray makes a role that may do anything with EC2 and S3."""
    profiles = {
        name: node["node_config"]["IamInstanceProfile"] for name, node in cluster["available_node_types"].items()
    }

    assert profiles == {"head": {"Name": "raydesk-head"}, "worker.consumer": {}}


def test_the_heads_role_starts_and_ends_workers_of_this_cluster_alone(cluster: dict[str, Any]) -> None:
    statements = {entry["Sid"]: entry for entry in json.loads(ROLE.read_text(encoding="utf-8"))["Statement"]}
    by_action: dict[str, list[dict[str, Any]]] = {}
    for entry in statements.values():
        for action in [entry["Action"]] if isinstance(entry["Action"], str) else entry["Action"]:
            by_action.setdefault(action, []).append(entry)
    node, worker = (cluster["available_node_types"][name]["node_config"] for name in ("head", "worker.consumer"))

    assert set(by_action) == {
        "ec2:CreateTags",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:RunInstances",
        "ec2:TerminateInstances",
    }
    assert [sid for sid, entry in statements.items() if entry["Resource"] == "*"] == ["SeeNodes"]
    (ending,) = by_action["ec2:TerminateInstances"]
    assert ending["Condition"]["StringEquals"] == {"aws:ResourceTag/ray-cluster-name": cluster["cluster_name"]}
    assert statements["StartWorkersOfThisCluster"]["Condition"]["StringEquals"] == {
        "aws:RequestTag/ray-cluster-name": cluster["cluster_name"],
        "aws:RequestTag/ray-node-type": "worker",
        "ec2:InstanceType": worker["InstanceType"],
    }
    resources = statements["OfThisImageInThisGroup"]["Resource"]
    assert any(resource.endswith(f":image/{node['ImageId']}") for resource in resources)
    assert any(resource.endswith(f":security-group/{node['SecurityGroupIds'][0]}") for resource in resources)
    assert cluster["provider"]["region"] in resources[0]


def test_no_secret_travels_as_a_variable(cluster: dict[str, Any]) -> None:
    variables = environment(cluster)

    assert not [name for name in variables if name.endswith(("TOKEN", "KEY", "SECRET", "PASSWORD"))]


def test_every_process_has_the_same_hash_seed_and_sends_no_usage_data(cluster: dict[str, Any]) -> None:
    variables = environment(cluster)

    assert variables["PYTHONHASHSEED"] == "0"
    assert variables["RAY_USAGE_STATS_ENABLED"] == "0"


def test_the_image_holds_the_ray_that_is_pinned_here(cluster: dict[str, Any]) -> None:
    image = cluster["docker"]["image"]

    assert image == f"rayproject/ray:{version('ray')}-py311"


def test_every_node_names_its_machine_image(cluster: dict[str, Any]) -> None:
    images = {node["node_config"].get("ImageId", "") for node in cluster["available_node_types"].values()}

    assert len(images) == 1
    assert images.pop().startswith("ami-")


def test_consumers_have_nodes_of_their_own(cluster: dict[str, Any]) -> None:
    head = cluster["available_node_types"][cluster["head_node_type"]]
    worker = cluster["available_node_types"]["worker.consumer"]

    assert head["resources"] == {"CPU": 0}
    assert option(cluster["head_start_ray_commands"][-1], "num-cpus") == "0"
    assert worker["resources"]["CPU"] >= 1
    assert (worker["min_workers"], worker["max_workers"]) == (0, cluster["max_workers"])


def test_every_node_has_the_same_code_and_installs_what_constraints_pin(cluster: dict[str, Any]) -> None:
    setup = " ".join(cluster["setup_commands"])

    assert set(cluster["file_mounts"]) == {"~/raydesk", "~/.raydesk/secrets"}
    assert f"/{cluster['file_mounts']['~/raydesk']}/".startswith("/build/cluster/")
    assert "pip install --quiet --require-hashes --no-deps --requirement cluster-requirements.txt" in setup
    assert "pip install --quiet --no-deps --no-build-isolation --editable ." in setup
    assert cluster["worker_setup_commands"] == []
    pips = [*cluster["setup_commands"], *cluster["head_setup_commands"]]
    assert all("--no-deps" in command for command in pips if "pip install" in command)


def test_results_outlive_a_jobs_own_folder(cluster: dict[str, Any]) -> None:
    folder = PurePosixPath(environment(cluster)["RAYDESK_RUNS_DIR"])

    assert folder.is_absolute()
    assert not folder.is_relative_to("/tmp")


def test_a_plain_job_has_as_long_to_close_its_books_as_one_of_desk_submit(cluster: dict[str, Any]) -> None:
    assert environment(cluster)["RAY_JOB_STOP_WAIT_TIME_S"] == str(CLOSING_S)


def test_the_head_keeps_processes_for_the_control_actors(cluster: dict[str, Any]) -> None:
    assert int(environment(cluster)["RAY_num_workers_soft_limit"]) >= len(CONTROL_ACTORS)


def test_consumer_nodes_come_and_go(cluster: dict[str, Any]) -> None:
    worker = cluster["available_node_types"]["worker.consumer"]

    assert worker["min_workers"] == 0
    assert 0 < cluster["idle_timeout_minutes"] <= 10
    assert cluster["provider"]["cache_stopped_nodes"] is False


def test_consumer_nodes_may_be_spot_machines() -> None:
    text = CLUSTER.read_text(encoding="utf-8")
    offered = "# InstanceMarketOptions: {MarketType: spot}"
    assert text.count(offered) == 1

    prepared = prepare_config(yaml.safe_load(text.replace(offered, offered.removeprefix("# "))))

    validate_config(prepared)
    types = prepared["available_node_types"]
    assert types["worker.consumer"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in types["head"]["node_config"]
