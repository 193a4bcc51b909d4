"""A desk on Ray with remote tape, ledger and results, while the ledger's server and its clients are killed."""

from collections.abc import Callable, Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from desk_process import RunningDesk, assert_accounts_hold, orders_and_fills
from postgres_server import PASSWORD, PostgresServer
from s3_server import KEY_ID, S3Server
from session_ray import clean_environment
from slice_plans import minute_ns

pytestmark = [pytest.mark.ray, pytest.mark.trial]

ORDERS = "SELECT client_order_id, status, filled, average_price FROM {}.orders ORDER BY 1"
FILLS = "SELECT client_order_id, number, quantity, price, fee FROM {}.fills ORDER BY 1, 2"


def plain(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of either database in one order, their numbers as a millionth of a cent tells them apart."""
    return sorted(
        tuple(round(float(value), 8) if isinstance(value, float | Decimal) else value for value in row) for row in rows
    )


def assert_as_undisturbed(desk: RunningDesk, undisturbed: Path, postgres: PostgresServer, schema: str) -> None:
    """Bars and decisions, and the orders and fills on the server, are those of a run that was left in peace."""
    for name in ("bars.parquet", "decisions.parquet"):
        assert pq.read_table(desk.run_dir / name).equals(pq.read_table(undisturbed / name)), name
    for expected, query in zip(orders_and_fills(undisturbed), (ORDERS, FILLS), strict=True):
        assert plain(postgres.execute(query.format(schema))) == plain(expected)


@pytest.fixture
def environment(s3: S3Server) -> dict[str, str]:
    """With everything in it that a password or a key is needed for."""
    secrets = {"RAYDESK_LEDGER_PASSWORD": PASSWORD, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": "x"}
    return clean_environment() | {"RAY_AUTH_MODE": "disabled", "AWS_EC2_METADATA_DISABLED": "true"} | secrets


@pytest.fixture
def begun(
    slice_plan: Path, tmp_path: Path, postgres: PostgresServer, s3: S3Server, environment: dict[str, str]
) -> Callable[[str], RunningDesk]:
    """Starts the slice with its ledger in a schema of a server and its results in a bucket, on a Ray of its own."""

    def begin(schema: str) -> RunningDesk:
        postgres.execute(f"CREATE SCHEMA {schema} AUTHORIZATION locked")
        ledger = postgres.url("locked", options=f"-csearch_path={schema}")
        plan = tmp_path / "elsewhere.toml"
        text = slice_plan.read_text().replace('path = "/', 'path = "file:///')
        plan.write_text(f'{text}\n[ledger]\nurl = "{ledger}"\n[results]\nurl = "{s3.url("desk/runs")}"\n')
        return RunningDesk(plan, tmp_path / "run", environment)

    return begin


def test_the_ledger_s_server_and_its_writers_may_go_away(
    begun: Callable[[str], RunningDesk], undisturbed: Path, postgres: PostgresServer, s3: S3Server
) -> None:
    desk = begun("of_ray")
    with closing(desk):
        desk.wait_for_mark(minute_ns(2))
        postgres.kill_backends()
        desk.wait_for_mark(minute_ns(4))
        postgres.stop()
        desk.kill("ledger")
        postgres.start()
        desk.wait_for_mark(minute_ns(6))
        desk.kill("broker")
        desk.kill("ledger")
        status, _, err = desk.finish()

    assert status == 0, err
    assert_accounts_hold(desk.summary())
    assert_as_undisturbed(desk, undisturbed, postgres, "of_ray")
    copied = {key.removeprefix("runs/run/") for key in s3.objects["desk"]}
    assert copied == {"bars.parquet", "decisions.parquet", "report.html", "desk.log", "summary.json"}
    everything = [path.read_bytes() for path in desk.run_dir.rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in content for content in [*everything, *s3.objects["desk"].values()])


def test_a_server_that_stays_away_ends_the_desk_and_it_continues_when_the_server_is_back(
    begun: Callable[[str], RunningDesk], environment: dict[str, str], undisturbed: Path, postgres: PostgresServer
) -> None:
    desk = begun("of_resumed")
    with closing(desk):
        desk.wait_for_mark(minute_ns(5))
        postgres.stop()
        status, _, err = desk.finish()

    assert status == 1
    assert "desk run --resume" in err
    assert desk.summary()["failed"]
    assert PASSWORD not in (desk.run_dir / "resume.json").read_text()
    postgres.start()
    heir = RunningDesk.resumed(desk.run_dir, environment)
    with closing(heir):
        status, _, err = heir.finish()

    assert status == 0, err
    assert_accounts_hold(heir.summary())
    assert_as_undisturbed(heir, undisturbed, postgres, "of_resumed")
