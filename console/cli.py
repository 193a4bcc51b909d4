"""The command line: `desk run`, `submit`, `check`, `report`, `tune`, `venue` and `tape info`.

Exit status: 0 run complete and balanced, 1 run failed, does not balance, or never had its live feed or ended without
it, 2 bad plan or arguments, 3 credentials, 128 + signal where SIGINT, SIGTERM, SIGHUP or SIGQUIT came before the first
second was complete, or a second one later. stdout is for people; errors go to stderr.
"""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from console.entry import caught_signals
from console.faults import Faults
from console.unseen import Unseen

app = typer.Typer(
    name="desk",
    help="A trading desk on live market data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
tape = typer.Typer(help="Recorded market data.", no_args_is_help=True)
app.add_typer(tape, name="tape")

DayOption = Annotated[
    str | None, typer.Option(metavar="DAY", help="Exchange day to play of a tape with several, as YYYY-MM-DD.")
]
SUBMIT_VARIABLE = "RAY_API_SERVER_ADDRESS"
PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="Tradeplan (TOML).")]


def main() -> None:
    """The `desk` command. Strategies and scanners may stand in the current directory."""
    sys.path.insert(0, str(Path.cwd()))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # In a terminal of few letters a "?" for a "·" beats no figures at all.
            stream.reconfigure(errors="replace")
    with caught_signals():
        app()


@app.command()
def run(
    plan: Annotated[Path | None, typer.Argument(metavar="[PLAN]", help="Tradeplan (TOML).")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the run in this folder that was broken off.")
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; default: <name>-<utc time> in RAYDESK_RUNS_DIR, or in runs."),
    ] = None,
    date: DayOption = None,
    consumers: Annotated[int | None, typer.Option(help="Consumer processes; 0 = choose.")] = None,
    in_process: Annotated[bool, typer.Option("--in-process", help="The whole desk in this process, no Ray.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Needed beside a plan that sends real orders.")] = False,
    address: Annotated[str | None, typer.Option(help="Ray cluster to join; default: one of its own.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only errors and the last line.")] = False,
) -> None:
    """Run a tradeplan, or go on with a run that was broken off."""
    if (plan is None) == (resume is None):
        raise typer.BadParameter("a plan, or the folder of a run to go on with", param_hint="PLAN or --resume")
    if resume is not None and (run_dir or date is not None or consumers is not None or in_process):
        raise typer.BadParameter("the run goes on as it was begun", param_hint="--resume")
    if in_process and address is not None:
        raise typer.BadParameter("a desk in this process joins no cluster", param_hint="--address")
    with Faults() as faults:
        from console import run as running  # noqa: PLC0415 - `desk --help` starts quickly

        options = running.RunOptions(run_dir, consumers, live, quiet, date)
        console = people(Unseen(sys.stdout))
        if plan is None:
            assert resume is not None, "checked above"
            raise typer.Exit(running.resume_run(resume, options, running.house_at(address), console, faults))
        house = running.house_at(address)(in_process)
        raise typer.Exit(running.run_plan(plan, options, house, console, faults))


@app.command()
def submit(
    context: typer.Context,
    plan: PlanPath,
    address: Annotated[
        str, typer.Option(metavar="URL", envvar=SUBMIT_VARIABLE, help="Dashboard of the cluster.")
    ] = "http://127.0.0.1:8265",
    date: DayOption = None,
    consumers: Annotated[int | None, typer.Option(help="Consumer processes; 0 = choose.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Needed beside a plan that sends real orders.")] = False,
    run_dir: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Folder on the cluster for the results; default: as RAYDESK_RUNS_DIR says there."
        ),
    ] = None,
) -> None:
    """Run a tradeplan as a job of a Ray cluster, and show its log to its end; ctrl-c closes its books."""
    with Faults():
        from console import submit as submitting  # noqa: PLC0415 - `desk --help` starts quickly

        source = context.get_parameter_source("address")
        by_environment = source is not None and source.name == "ENVIRONMENT"
        address_from = f"environment, {SUBMIT_VARIABLE}" if by_environment else "--address"
        options = submitting.SubmitOptions(address, consumers, live, run_dir, date, address_from)
        raise typer.Exit(submitting.submit_plan(plan, options, people(Unseen(sys.stdout))))


@app.command()
def check(plan: PlanPath, date: DayOption = None) -> None:
    """Check a tradeplan and its strategies, and print what would run."""
    with Faults():
        from console.check import check_plan  # noqa: PLC0415 - `desk --help` starts quickly

        check_plan(plan, people(), date)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Run folder of a finished run.")],
) -> None:
    """Print the figures of a finished run."""
    with Faults():
        from console.report import print_report  # noqa: PLC0415 - `desk --help` starts quickly

        print_report(folder, people())


@app.command()
def tune(
    plan: PlanPath,
    burst_seconds: Annotated[float, typer.Option(help="Burst that the lanes shall hold, in s.")] = 5.0,
    safety: Annotated[float, typer.Option(help="Times the burst that capacity is for.")] = 2.0,
    from_run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Run folder that has seen the market; live feeds need one.")
    ] = None,
) -> None:
    """Measure a plan's market and costs, and print capacity, window, linger and consumers for it."""
    with Faults():
        from console.tune import tune_plan  # noqa: PLC0415 - `desk --help` starts quickly

        tune_plan(plan, burst_seconds, safety, from_run, people())


@app.command()
def venue(
    tape_path: Annotated[Path | None, typer.Option("--tape", metavar="PATH", help="Play this tape.")] = None,
    standard: Annotated[
        bool, typer.Option("--standard", help="Play the standard load: Zipf rates, Poisson arrivals.")
    ] = False,
    symbols: Annotated[int, typer.Option(help="Made-up market: how many symbols.")] = 600,
    events_per_s: Annotated[float, typer.Option(help="Made-up market: events per second of session.")] = 2000.0,
    minutes: Annotated[int, typer.Option(help="Made-up market: length of the session.")] = 390,
    seed: Annotated[int, typer.Option(help="Of the made-up market and of the arrivals of --rate.")] = 1,
    mix: Annotated[str, typer.Option(help="trades, quotes or both.")] = "both",
    limit: Annotated[int | None, typer.Option(help="Only the source's first events.")] = None,
    speed: Annotated[str | None, typer.Option(help='Factor of real time, or "max".', show_default="1")] = None,
    rate: Annotated[float | None, typer.Option(help="Events per second, Poisson, instead of --speed.")] = None,
    frame_ms: Annotated[float, typer.Option(help="Events of so many ms gathered into one frame.")] = 1.0,
    single: Annotated[bool, typer.Option("--single", help="Every event in a frame of its own.")] = False,
    restamp: Annotated[bool, typer.Option("--restamp", help="Times moved to now.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end, with new trade ids.")] = False,
    wait_clients: Annotated[int, typer.Option(help="Begin when so many clients have subscribed.")] = 1,
    seconds: Annotated[float | None, typer.Option(help="Leave after playing so long.")] = None,
    port: Annotated[int, typer.Option(help="0 = a free one.")] = 8080,
    port_file: Annotated[Path | None, typer.Option(help="Write the port here when listening.")] = None,
    key: Annotated[str | None, typer.Option(help="The only key let in; default: any.")] = None,
    secret: Annotated[str | None, typer.Option(help="The only secret let in; default: any.")] = None,
    symbol_limit: Annotated[int | None, typer.Option(help="Trade and quote symbols per connection (405).")] = None,
    connection_limit: Annotated[int, typer.Option(help="Connections per endpoint (406).")] = 1,
    buffer_mb: Annotated[float, typer.Option(help="What may wait for a slow client (407), in MiB.")] = 64.0,
    compress: Annotated[bool, typer.Option("--compress", help="Allow permessage-deflate.")] = False,
) -> None:
    """Play market data to clients of Alpaca's stream (ws://127.0.0.1:PORT/v2/iex, /v2/sip, /v2/test)."""
    with Faults():
        from console import venue as venues  # noqa: PLC0415 - `desk --help` starts quickly

        source = venues.SourceOptions(tape_path, standard, symbols, events_per_s, minutes, seed, mix, limit)
        pace = venues.PaceOptions(speed, rate, frame_ms, single, restamp, loop, wait_clients, seconds)
        door = venues.DoorOptions(port, port_file, key, secret, symbol_limit, connection_limit, buffer_mb, compress)
        venues.run_venue(source, pace, door, people())


@tape.command()
def info(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A tape: file, folder or pattern, by path or URL.")],
) -> None:
    """Print what a tape holds."""
    with Faults():
        from console.tape import print_tape_info  # noqa: PLC0415 - `desk --help` starts quickly

        print_tape_info(path, people())


def people(stream: Any = None) -> Console:
    """stdout, or a stream before it; where it is no terminal, so without a width, wide enough that no figure is cut."""
    console = Console(file=stream)
    return console if console.is_terminal else Console(file=stream, width=160)


if __name__ == "__main__":
    main()
