"""The command line: `desk run`, `submit`, `check`, `report`, `top`, `doctor`, `tune`, `venue` and `tape info`.

Exit status: 0 run complete and balanced, 1 run failed, does not balance, or never had its live feed or ended without
it, 2 bad plan or arguments, 3 credentials, 128 + signal where SIGINT, SIGTERM, SIGHUP or SIGQUIT came before the first
second was complete, or a second one later. stdout is for people; errors go to stderr.

Each command imports its module when it runs: `desk --help`, `desk --version` and completion start quickly.
`make docs` writes docs/reference/cli.md from this module (console.cli_reference).
"""
# ruff: noqa: PLC0415 - see above

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from console.commands.venue_command import venue
from console.completion import finished_runs, plan_files, runs_to_resume
from console.entry import caught_signals
from console.error_messages import ErrorReporter
from console.help_pages import PAGES

RUN, PREPARE, RESULTS, MARKET = "Run a plan", "Prepare a plan", "Look at results", "Market data"

app = typer.Typer(
    name="desk",
    help="A trading desk on live, recorded or made-up market data.",
    epilog=PAGES[""].epilog,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
data = typer.Typer(help="History in a catalog on this machine.", epilog=PAGES["data"].epilog, no_args_is_help=True)
tape = typer.Typer(help="Record, convert and look at market data.", epilog=PAGES["tape"].epilog, no_args_is_help=True)

SUBMIT_VARIABLE = "RAY_API_SERVER_ADDRESS"
PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="The tradeplan (TOML).", autocompletion=plan_files)]
DayOption = Annotated[
    str | None, typer.Option(metavar="DAY", help="Exchange day to play, as YYYY-MM-DD, of a tape with several days.")
]
ConsumersOption = Annotated[
    int | None, typer.Option(metavar="N", help="Number of consumer processes; 0: choose by the load.")
]
LiveOption = Annotated[bool, typer.Option("--live", help="Required for a plan that sends real orders.")]


def main() -> None:
    """The `desk` command. The current directory is searched for strategies and scanners."""
    sys.path.insert(0, str(Path.cwd()))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a character shows "?" for it.
            stream.reconfigure(errors="replace")
    with caught_signals():
        app()


def _print_version(requested: bool) -> None:
    if requested:
        from console.version import version_lines

        typer.echo(version_lines())
        raise typer.Exit


@app.callback()
def desk(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the releases in use and exit."),
    ] = False,
) -> None:
    """Options of `desk` itself."""


@app.command(rich_help_panel=RUN, epilog=PAGES["run"].epilog)
def run(
    plan: Annotated[
        Path | None, typer.Argument(metavar="PLAN", help="The tradeplan (TOML).", autocompletion=plan_files)
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Resume the run in this folder, which stopped before its end.",
            autocompletion=runs_to_resume,
        ),
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for the results; default: <name>-<utc time> in RAYDESK_RUNS_DIR, or in runs."
        ),
    ] = None,
    date: DayOption = None,
    consumers: ConsumersOption = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Run the whole desk in one process, without Ray.")
    ] = False,
    live: LiveOption = False,
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDR", help="Ray cluster to join; default: RAY_ADDRESS, or a Ray of the desk's own."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only errors and the last line.")] = False,
    accept_changes: Annotated[
        bool,
        typer.Option("--accept-changes", help="With --resume: accept that the code of strategies has changed."),
    ] = False,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write traces of batches to this file, in Chrome's format: Perfetto opens it. Without trace_sample in "
            "the plan, one batch in 20 is traced.",
        ),
    ] = None,
) -> None:
    """Run a tradeplan, or resume a run that stopped before its end."""
    if (plan is None) == (resume is None):
        raise typer.BadParameter("give either a plan, or --resume with a run folder", param_hint="PLAN or --resume")
    if resume is not None and (run_dir or date is not None or consumers is not None or in_process):
        raise typer.BadParameter("a resumed run keeps the options that it was started with", param_hint="--resume")
    if accept_changes and resume is None:
        raise typer.BadParameter("it is for --resume: a new run has no changes", param_hint="--accept-changes")
    if in_process and address is not None:
        raise typer.BadParameter("--in-process runs without Ray: drop one of the two", param_hint="--address")
    with ErrorReporter() as faults:
        from console.commands import run as running
        from console.display.lasting_stdout import LastingStdout
        from console.display.terminal import people_console

        joins = not in_process and running.joins_cluster(address)
        options = running.RunOptions(run_dir, consumers, live, quiet, date, accept_changes, joins, trace)
        console = people_console(LastingStdout(sys.stdout))
        if plan is None:
            assert resume is not None, "checked above"
            raise typer.Exit(running.resume_run(resume, options, running.desk_at(address), console, faults))
        runner = running.desk_at(address)(in_process)
        raise typer.Exit(running.run_plan(plan, options, runner, console, faults))


@app.command(rich_help_panel=RUN, epilog=PAGES["submit"].epilog)
def submit(
    context: typer.Context,
    plan: PlanPath,
    address: Annotated[
        str, typer.Option(metavar="URL", envvar=SUBMIT_VARIABLE, help="Dashboard of the Ray cluster.")
    ] = "http://127.0.0.1:8265",
    date: DayOption = None,
    consumers: ConsumersOption = None,
    live: LiveOption = False,
    run_dir: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder on the cluster for the results, an absolute path; default: as RAYDESK_RUNS_DIR says there.",
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="File or folder to send besides plan, tape and code; may be repeated."),
    ] = None,
) -> None:
    """Run a tradeplan as a job on a Ray cluster, and show its log until it ends.

    Ctrl-c stops the desk in good order: it processes the ticks that wait and writes its results.
    """
    with ErrorReporter():
        from console.commands import submit as submitting
        from console.display.lasting_stdout import LastingStdout
        from console.display.terminal import people_console

        source = context.get_parameter_source("address")
        by_environment = source is not None and source.name == "ENVIRONMENT"
        address_from = f"environment, {SUBMIT_VARIABLE}" if by_environment else "--address"
        options = submitting.SubmitOptions(address, consumers, live, run_dir, date, tuple(include or ()), address_from)
        raise typer.Exit(submitting.submit_plan(plan, options, people_console(LastingStdout(sys.stdout))))


@app.command(rich_help_panel=PREPARE, epilog=PAGES["check"].epilog)
def check(plan: PlanPath, date: DayOption = None) -> None:
    """Check a tradeplan, its strategies and scanners, and print what would run."""
    with ErrorReporter():
        from console.commands.check import check_plan
        from console.display.terminal import people_console

        check_plan(plan, people_console(), date)


@app.command(rich_help_panel=PREPARE, epilog=PAGES["tune"].epilog)
def tune(
    plan: PlanPath,
    burst_seconds: Annotated[
        float, typer.Option(metavar="S", help="Length of the burst that a lane must hold, in seconds.")
    ] = 5.0,
    safety: Annotated[float, typer.Option(metavar="X", help="Capacity is this many times the burst.")] = 2.0,
    from_run: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of a finished run on the same market; required for live feeds.",
            autocompletion=finished_runs,
        ),
    ] = None,
) -> None:
    """Measure a plan's market and costs, and print the capacity, window, linger and consumers that suit them."""
    with ErrorReporter():
        from console.commands.tune import tune_plan
        from console.display.terminal import people_console

        tune_plan(plan, burst_seconds, safety, from_run, people_console())


@app.command(rich_help_panel=RESULTS, epilog=PAGES["report"].epilog)
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of a finished run.", autocompletion=finished_runs)
    ],
) -> None:
    """Print the figures of a finished run."""
    with ErrorReporter():
        from console.commands.report import print_report
        from console.display.terminal import people_console

        print_report(folder, people_console())


@app.command(rich_help_panel=RESULTS, epilog=PAGES["top"].epilog)
def top(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Folder of a running desk; default: the newest in RAYDESK_RUNS_DIR, or in runs, else of RAY_ADDRESS.",
            autocompletion=runs_to_resume,
        ),
    ] = None,
) -> None:
    """Show a running desk as a live table: shards, lanes, ages, waits, orders, problems. Ctrl-c ends the table only."""
    with ErrorReporter():
        from console.commands.top import watch_desk
        from console.display.terminal import people_console

        watch_desk(folder, people_console())


@app.command(rich_help_panel=RESULTS, epilog=PAGES["doctor"].epilog)
def doctor(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Folder of a running or finished run; default: the newest in RAYDESK_RUNS_DIR, or in runs.",
            autocompletion=finished_runs,
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(metavar="N", min=1.0, help="How long to sample a running desk, in seconds.")
    ] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Find out what makes the data of a desk old: which process waits, for what, and what code is the cause."""
    with ErrorReporter():
        from console.commands.doctor import print_verdict
        from console.display.terminal import people_console

        print_verdict(folder, seconds, people_console(), as_json=as_json)


app.command(rich_help_panel=MARKET, epilog=PAGES["venue"].epilog)(venue)
app.add_typer(tape, name="tape", rich_help_panel=MARKET)
app.add_typer(data, name="data", rich_help_panel=MARKET)


@tape.command(epilog=PAGES["tape info"].epilog)
def info(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A tape: file, folder or pattern, as a path or URL.")],
) -> None:
    """Print what a tape holds."""
    with ErrorReporter():
        from console.commands.tape import print_tape_info
        from console.display.terminal import people_console

        print_tape_info(path, people_console())


@tape.command(epilog=PAGES["tape convert"].epilog)
def convert(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Parquet or CSV files.")],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The tape to write, a Parquet file.")],
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="The column that holds a field of the tape; for times with its unit (s, ms, us, ns), as "
            "ts_ns=time:ms. A column of the same name needs no map. May be repeated.",
        ),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="One value for all rows, as symbol=SPY. May be repeated."),
    ] = None,
) -> None:
    """Make a tape of tables whose columns have other names. Rows without recv_ns were received at their venue time."""
    with ErrorReporter():
        from console.commands.tape import convert_tables
        from console.display.terminal import people_console

        convert_tables(files, out, maps or [], values or [], people_console())


@tape.command(epilog=PAGES["tape record"].epilog)
def record(
    plan: PlanPath,
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The tape to write, a Parquet file.")],
    seconds: Annotated[
        float | None, typer.Option(metavar="S", min=0.001, help="Stop after so many seconds; default: at the end.")
    ] = None,
    date: DayOption = None,
) -> None:
    """Record the feed of a plan to a tape, without running the desk. Ctrl-c stops, and keeps what came before."""
    with ErrorReporter():
        from console.commands.tape import record_plan
        from console.display.terminal import people_console

        record_plan(plan, out, seconds, date, people_console())


@data.command(epilog=PAGES["data get"].epilog)
def get(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOLS...", help="Symbols, as SPY AAPL.")],
    from_day: Annotated[str, typer.Option("--from", metavar="DAY", help="First exchange day, as 2026-01-05.")],
    to_day: Annotated[str, typer.Option("--to", metavar="DAY", help="Last exchange day.")],
    plan: Annotated[
        Path | None,
        typer.Option(metavar="PLAN", help="Plan whose feed gives the history; default: Alpaca's IEX.", exists=True),
    ] = None,
    trades: Annotated[bool, typer.Option("--trades", help="Fetch trades too, a tape for each symbol and day.")] = False,
) -> None:
    """Fetch minute bars into the catalog. Interrupted, it continues when it is called again."""
    with ErrorReporter():
        from console.commands.data import get_history
        from console.display.terminal import people_console

        get_history(symbols, from_day, to_day, plan, people_console(), trades=trades)


@data.command(epilog=PAGES["data ls"].epilog)
def ls() -> None:
    """Print what the catalog has."""
    with ErrorReporter():
        from console.commands.data import list_history
        from console.display.terminal import people_console

        list_history(people_console())


@data.command("gaps", epilog=PAGES["data gaps"].epilog)
def data_gaps(
    calendar: Annotated[str, typer.Option(metavar="NAME", help="Exchange calendar, as in [session].")] = "XNYS",
) -> None:
    """Print the trading days of each symbol that are missing in the catalog, or without rows."""
    with ErrorReporter():
        from console.commands.data import list_gaps
        from console.display.terminal import people_console

        list_gaps(calendar, people_console())


if __name__ == "__main__":
    main()
