"""A run that dies while it closes its session: a resume undoes the close and continues the session."""

import sqlite3
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest
from interrupted_run import Project, resume
from made_up_tape import OPEN_NS, market, write_tape

from desk.checkpoint import KeeperStore
from desk.config import load_plan
from desk.inprocess.in_process_desk import InProcessDesk
from desk.ledger import SqlLedger
from desk.model.notes import Note
from desk.model.units import SECOND_NS
from desk.producer.feed_watch.watch import FeedWatch
from desk.runs import RunFolder

TAPE_S: Final = 110
STOP_S: Final = 80  # within a minute, with orders at rest
STRATEGY: Final = """
from desk import strategy


class Trader(strategy.Strategy):
    class Params(strategy.Params, frozen=True):
        stop_file: str = ""

    def __init__(self, params):
        super().__init__(params)
        self.seconds = 0

    def on_second(self, ctx):
        self.seconds += 1
        if ctx.price is None or self.seconds % 7:
            return
        if self.seconds % 2:
            ctx.buy(1)
        else:
            ctx.buy(1, limit=round(ctx.price * 0.999, 2))
            ctx.buy(1, limit=round(ctx.price * 0.9, 2), tif="gtc")

    def on_fill(self, ctx, fill):
        if fill.side == "buy":
            ctx.sell(fill.quantity)
"""
MIN_POINTS: Final = 20
OPEN_ORDERS: Final = "SELECT count(*) FROM orders WHERE status IN ('accepted', 'partially_filled', 'pending_cancel')"
TABLES: Final = {
    "decisions": "client_order_id",
    "orders": "client_order_id",
    "fills": "client_order_id, number",
    "order_events": "symbol, number",
    "notes": "name",
}


class Died(BaseException):
    """The process is gone here."""


@dataclass
class Writes:
    """The writes of a close; before or after one of them the process dies."""

    die_at: int = -1
    after: bool = False
    count: int = 0
    closing: bool = False

    def through(self, write: Callable[[], Any]) -> Any:
        if not self.closing:
            return write()
        here, self.count = self.count == self.die_at, self.count + 1
        if here and not self.after:
            raise Died
        done = write()
        if here:
            raise Died
        return done


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    """Every write to keeper, ledger and run folder after the feed's end, through one door."""
    found = Writes()

    def watch(owner: type, name: str) -> None:
        write = getattr(owner, name)

        @wraps(write)
        def watched(*arguments: Any, **named: Any) -> Any:
            return found.through(lambda: write(*arguments, **named))

        monkeypatch.setattr(owner, name, watched)

    end = FeedWatch.end

    def begin(feed_watch: FeedWatch) -> list[Note]:
        found.closing = True
        return end(feed_watch)

    monkeypatch.setattr(FeedWatch, "end", begin)
    for owner, names in (
        (KeeperStore, ("save", "save_producer")),
        (SqlLedger, ("record", "close_session")),
        (RunFolder, ("write_bars", "write_decisions", "write_report", "write_summary")),
    ):
        for name in names:
            watch(owner, name)
    return found


@pytest.fixture(scope="module", params=[True, False], ids=["lockstep", "free"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    tape = tmp_path_factory.mktemp("tape") / "tape.parquet"
    write_tape(tape, market(TAPE_S, 20.0, OPEN_NS))
    folder = tmp_path_factory.mktemp("project")
    made = Project(folder, tape, f"closing{request.param}".lower())
    made.strategy.write_text(STRATEGY)
    lockstep = f"lockstep = {request.param}".lower()
    made.plan.write_text(made.plan.read_text().replace('stop = "09:40"', f'stop = "09:33"\n{lockstep}'))
    return made


@pytest.fixture(scope="module")
def whole(project: Project) -> Path:
    return project.whole().dir


def run_up_to_the_death(plan: Path, run_dir: Path, stop_s: int | None) -> bool:
    """Run the plan, stopped at this second; whether it died."""
    folder = RunFolder.create(None, run_dir, "cut", 0)
    try:
        house = InProcessDesk(load_plan(plan), folder)

        play = house.loop.play

        def stopped() -> Generator[None, None, None]:
            for _ in play():
                if stop_s is not None and house.loop.session_ns >= OPEN_NS + stop_s * SECOND_NS:
                    house.loop.stop()
                yield

        house.loop.play = stopped  # type: ignore[method-assign]
        house.run(lambda _: None)
    except Died:
        return True
    finally:
        folder.resume.release()
    return False


def rows(run_dir: Path, table: str) -> list[tuple[Any, ...]]:
    book = sqlite3.connect(f"file:{run_dir / 'ledger.db'}?mode=ro", uri=True)
    try:
        book.row_factory = sqlite3.Row
        found = book.execute(f"SELECT * FROM {table} ORDER BY {TABLES[table]}").fetchall()
    finally:
        book.close()
    session = "line", "session"
    return [tuple(row[name] for name in row.keys() if name not in session) for row in found if not is_identity(row)]  # noqa: SIM118


def is_identity(row: sqlite3.Row) -> bool:
    return "name" in row.keys() and row["name"] == "identity"  # noqa: SIM118 - a Row's own `in` looks at values


def assert_same(run_dir: Path, whole: Path, *, lockstep: bool) -> None:
    book = sqlite3.connect(f"file:{run_dir / 'ledger.db'}?mode=ro", uri=True)
    try:
        assert book.execute(OPEN_ORDERS).fetchone() == (0,)
    finally:
        book.close()
    names = ["bars", "decisions"] if lockstep else ["bars"]
    for name in names:
        expected, found = (pq.read_table(folder / f"{name}.parquet") for folder in (whole, run_dir))
        assert expected.num_rows > 0
        assert found.equals(expected), name
    for table in TABLES if lockstep else ():
        assert rows(run_dir, table) == rows(whole, table), table


def deaths(
    project: Project, tmp_path: Path, writes: Writes, stop_s: int | None, every: int, *, lockstep: bool
) -> Iterator[Path]:
    """Run folders of runs that died around one of their close's writes, each resumed to its end."""
    for point in range(0, 1_000, every):
        writes.count, writes.die_at, writes.after, writes.closing = 0, point // 2, point % 2 == 1, False
        run_dir = tmp_path / f"run-{point}"
        if not run_up_to_the_death(project.plan, run_dir, stop_s):
            assert point >= MIN_POINTS
            return
        writes.die_at, writes.closing = -1, False
        summary, _ = resume(run_dir)
        # Without lockstep strategies may decide otherwise after the restored state: that is refused, and a problem.
        others = [problem for problem in summary.problems if lockstep or "and differently" not in problem]
        assert (summary.balanced, others) == (True, []), point
        assert not (run_dir / "resume.json").exists()
        yield run_dir


@pytest.mark.parametrize("stop_s", [STOP_S, None], ids=["stop", "end"])
@pytest.mark.parametrize("every", [15, pytest.param(1, marks=pytest.mark.trial)])
def test_a_run_that_dies_around_any_write_of_its_close_is_resumed_to_the_undisturbed_end(
    project: Project, whole: Path, tmp_path: Path, writes: Writes, stop_s: int | None, every: int
) -> None:
    lockstep = "lockstep = true" in project.plan.read_text()
    for run_dir in deaths(project, tmp_path, writes, stop_s, every, lockstep=lockstep):
        assert_same(run_dir, whole, lockstep=lockstep)


@pytest.mark.parametrize("every", [30, pytest.param(1, marks=pytest.mark.trial)])
def test_a_new_run_that_takes_up_the_session_of_one_that_died_in_its_close_ends_as_an_undisturbed_one(
    project: Project, whole: Path, tmp_path: Path, writes: Writes, every: int
) -> None:
    plan = project.plan.read_text()
    lockstep = "lockstep = true" in plan
    for point in range(1, 1_000, every):
        shared, run_dir = tmp_path / f"shared-{point}.db", tmp_path / f"run-{point}"
        sharing = project.folder / f"shared-{point}.toml"
        sharing.write_text(f'{plan}\n[ledger]\nurl = "sqlite:///{shared}"\n')
        writes.count, writes.die_at, writes.after, writes.closing = 0, point // 2, point % 2 == 1, False
        if not run_up_to_the_death(sharing, tmp_path / f"cut-{point}", STOP_S):
            return
        writes.die_at, writes.closing = -1, False

        assert not run_up_to_the_death(sharing, run_dir, None)

        shared.rename(run_dir / "ledger.db")
        assert_same(run_dir, whole, lockstep=lockstep)
