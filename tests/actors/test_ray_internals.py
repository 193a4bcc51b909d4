"""The installed Ray has the private names in `actors.ray_internals`. With another release these tests fail first."""

import inspect
import logging
import re
import signal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc
import pytest
import ray

from actors.ray_cluster.cluster import Cluster
from actors.ray_cluster.spare_processes import SparePool
from actors.ray_internals import calls, names, starting
from actors.ray_internals.names import PrivateName
from desk.model.errors import PlanError
from desk.process.signals import stop_signals

ROOT = Path(__file__).resolve().parents[2]
RAY = Path(ray.__file__).parent
NAMES = {name: value for name, value in vars(names).items() if isinstance(value, PrivateName)}
PRIVATE = re.compile(
    r"""\bray(\.\w+)*\._[a-z]          # ray._private, ray._raylet, ray.autoscaler._private
      | \bray\.core\.generated\b
      | \bfrom\ ray(\.\w+)*\ import\ .*(?<!\w)_[a-z]
      | \b(global_worker|core_worker)\b
      | \._(ray_)?actor_id\b
      | \b_(temp_dir|system_config|node_ip_address)=
    """,
    re.VERBOSE,
)


def has(found: Any, parameter: str) -> bool:
    """Whether a function takes this parameter, or an object has this attribute, field or method."""
    if hasattr(found, parameter):
        return True
    if parameter in getattr(getattr(found, "DESCRIPTOR", None), "fields_by_name", {}):
        return True
    if found.__name__.endswith("Stub"):
        with grpc.insecure_channel("127.0.0.1:1") as channel:
            return hasattr(found(channel), parameter)
    taken = inspect.signature(found).parameters
    if any(kind.kind is inspect.Parameter.VAR_KEYWORD for kind in taken.values()):
        return f'"{parameter}"' in inspect.getsource(found)
    return parameter in taken


@pytest.mark.parametrize("name", NAMES)
def test_the_installed_ray_has_the_name_as_it_is_used(name: str) -> None:
    private = NAMES[name]

    found = private.get()

    assert [parameter for parameter in private.parameters if not has(found, parameter)] == []


def test_the_installed_ray_has_the_messages_and_fields_that_are_used() -> None:
    absent = [
        f"{module}.{message}.{field}"
        for module, messages in calls.MESSAGES.items()
        for message, fields in messages.items()
        for field in ("DESCRIPTOR", *fields)
        if not has(getattr(calls.generated(module), message), field)
    ]

    assert absent == []


def test_every_message_that_is_used_is_listed() -> None:
    source = inspect.getsource(calls)

    used = set(re.findall(r"\b(\w+Request)\(", source))

    assert used
    assert used <= {message for messages in calls.MESSAGES.values() for message in messages}


@pytest.mark.parametrize(
    "setting",
    sorted({*starting.SYSTEM, *(name.removeprefix("RAY_") for name in {**starting.WORKERS, **starting.JOINED})}),
)
def test_rays_compiled_part_knows_the_setting(setting: str) -> None:
    assert setting.encode() in (RAY / "_raylet.so").read_bytes()
    assert setting.encode() in (RAY / "core/src/ray/raylet/raylet").read_bytes()


def test_rays_processes_have_the_command_lines_by_which_they_are_found() -> None:
    services = (RAY / "_private/services.py").read_text()

    assert f'"{names.RAYLET_SOCKET_FLAG}=' in services
    assert f'"{names.GCS_SESSION_FLAG}=' in services
    for _, path in names.AGENTS.values():
        assert (RAY / "_private" / path.decode()).exists() or (RAY / path.decode()).exists()


def test_every_logger_of_the_job_client_exists() -> None:
    assert [name for name in names.JOB_LOGGERS if find_spec(name) is None] == []


def test_no_other_file_uses_a_private_name_of_ray() -> None:
    home = ROOT / "actors" / "ray_internals"
    files = [
        path
        for folder in ("actors", "console", "desk", "strategies", "tests", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if home not in path.parents and path != Path(__file__)
    ]

    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PRIVATE.search(line)
    ]

    assert len(files) > 100
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "from ray._private import services",
        "import ray._raylet",
        "from ray import _raylet",
        "from ray.core.generated import gcs_pb2",
        "from ray.autoscaler._private.util import prepare_config",
        "handle._actor_id.binary()",
        'ray.init(_temp_dir="/tmp")',
    ],
)
def test_such_a_use_is_found(line: str) -> None:
    assert PRIVATE.search(line)


def remove(name: PrivateName, patch: pytest.MonkeyPatch) -> None:
    """Take the name away from the installed Ray, as another release may."""
    owner: Any = import_module(name.module)
    *classes, last = name.name.split(".")
    for part in classes:
        owner = getattr(owner, part)
    patch.delattr(owner, last)


@pytest.mark.parametrize("name", names.ALWAYS, ids=lambda name: name.name)
def test_a_ray_without_a_name_that_the_desk_needs_is_refused_before_anything_starts(
    name: PrivateName, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(name, monkeypatch)

    with pytest.raises(PlanError, match=rf"Ray {ray.__version__} has no .*constraints\.txt"):
        Cluster(None, 1.0, "desk")

    assert not ray.is_initialized()


@pytest.mark.parametrize("name", names.OWN_RAY, ids=lambda name: name.name)
def test_a_ray_that_cannot_be_closed_to_others_is_not_started(
    name: PrivateName, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    remove(name, monkeypatch)

    with pytest.raises(PlanError, match=f"has no .*{name.name}"):
        starting.init_own_ray(str(tmp_path), "s", lambda *_: None, num_cpus=1)

    assert not ray.is_initialized()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", names.REPLACEABLE, ids=lambda name: name.name)
def test_a_name_that_the_desk_can_do_without_is_reported_with_what_happens_then(
    name: PrivateName, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names.degraded() == []

    remove(name, monkeypatch)

    assert names.degraded() == [f"Ray {ray.__version__} has no `{name.module}.{name.name}`: {name.without}"]
    assert name.without


def test_every_name_is_needed_or_says_what_happens_without_it() -> None:
    for_tests = {"CREATE_PACKAGE", "PREPARE_CONFIG", "VALIDATE_CONFIG", "RSYNC_FILTERS"}
    for_tests |= {"FAKE_NODES", "FAKE_HEAD_ID", "FAKE_HEAD_TYPE"}

    unclear = {
        key
        for key, name in NAMES.items()
        if name not in {*names.ALWAYS, *names.OWN_RAY} and not name.without and key not in for_tests
    }

    assert unclear == {"INIT"}  # it is public: only two of its arguments are not


def test_without_the_names_for_signals_the_desk_catches_them_again_after_ray_has_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (names.SIGTERM_HANDLER, names.PROCESS_CLASS, names.CORE_WORKER):
        remove(name, monkeypatch)

    with stop_signals() as signals:
        own = signal.getsignal(signal.SIGTERM)
        with starting.own_signals(signals):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as Ray does

        assert signal.getsignal(signal.SIGTERM) == own


def test_without_the_call_for_spare_processes_none_are_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    remove(names.SPARE_PROCESSES, monkeypatch)

    spares = SparePool("127.0.0.1:1", logging.getLogger("spares"))
    spares.add(1)
    spares.close()

    (record,) = caplog.records
    assert f"Ray {ray.__version__} has no" in record.getMessage()


@pytest.mark.parametrize("name", [names.ACTOR_INFO, names.ACTOR_ID], ids=lambda name: name.name)
def test_without_an_actors_id_it_is_not_known_whether_it_has_a_process(
    name: PrivateName, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(name, monkeypatch)
    gcs = calls.GcsCalls("127.0.0.1:1", 0.1)

    assert gcs.has_process(object()) is False

    gcs.close()


@pytest.mark.parametrize("name", [names.DEFAULT_EXCLUDES, names.EXCLUDES], ids=lambda name: name.name)
def test_without_rays_list_a_job_leaves_out_what_ray_2_60_leaves_out(
    name: PrivateName, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = [
        tmp_path / path
        for path in ("desk/a.py", ".git/config", "x/venv/a.py", ".venv/a.py", "x/__pycache__/a.pyc", "venvs/a.py")
    ]
    by_ray = names.job_excludes(tmp_path)

    remove(name, monkeypatch)

    assert (
        [*map(names.job_excludes(tmp_path), paths)] == [*map(by_ray, paths)] == [False, True, True, True, True, False]
    )
