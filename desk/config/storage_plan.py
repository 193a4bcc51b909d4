"""The tradeplan's [ledger] and [results]: where a run's records are stored.

Tests: tests/desk/config/test_plan.py
"""

from collections.abc import Iterator

from pydantic import Field

from desk.config.plan_table import PlanFault, PlanTable
from desk.config.plan_urls import SQLITE_OPTIONS, STORE_CREDENTIALS, has_secret, unknown_sqlite_option
from desk.config.values import LedgerUrl, StoreUrl


class LedgerPlan(PlanTable):
    """[ledger]: database of decisions, orders and fills."""

    url: LedgerUrl = Field(
        default="sqlite:///{run_dir}/ledger.db",
        description="database of orders and fills; {run_dir} stands for the run folder",
    )

    def conflicts(self) -> Iterator[PlanFault]:
        if has_secret(self.url):
            yield PlanFault(
                ("url",),
                "a URL with a password in it",
                'a URL without a password, such as "postgresql+psycopg://user@host/database"',
                "Set RAYDESK_LEDGER_PASSWORD in the environment, or write a file of that name in RAYDESK_SECRETS_DIR.",
            )
        if unknown := unknown_sqlite_option(self.url):
            yield PlanFault(
                ("url",),
                f"`{unknown}` after the `?`, which is not an option of SQLite",
                f"a path without `?`, or options after it: {', '.join(SQLITE_OPTIONS)}",
                "Name a file whose path has no `?`. If the run folder's own path has one, write {run_dir}.",
            )


class ResultsPlan(PlanTable):
    """[results]: where the files of a finished run are copied."""

    url: StoreUrl = Field(
        default="",
        description='folder of an object store or another file system, such as "s3://bucket/runs"; each run gets a '
        "subfolder; empty = no copy",
    )

    def conflicts(self) -> Iterator[PlanFault]:
        if has_secret(self.url):
            yield PlanFault(
                ("url",),
                "a URL with credentials in it",
                'a URL without credentials, such as "s3://bucket/runs"',
                STORE_CREDENTIALS,
            )
