"""Examples and exit statuses for the help pages of commands."""

from typing import Final, NamedTuple

EXIT_STATUSES: Final = {
    "0": "the run is complete and balanced; also after a clean stop by a signal",
    "1": "the run failed or does not balance, or a live feed never came up, brought no tick, or was down at the end",
    "2": "the plan or an argument is wrong",
    "3": "credentials are missing or were refused",
    "128 + signal": "a signal came before the first second was complete, or a second signal came",
}
"""Of `desk run`: SIGINT gives 130, SIGTERM 143, SIGHUP 129, SIGQUIT 131."""

STORE_DOWN: Final = "the object store that holds the tape cannot be reached"


class HelpPage(NamedTuple):
    """`examples` as they are typed, with comments; `exit_statuses` by number, with their meaning."""

    examples: tuple[str, ...]
    exit_statuses: dict[str, str]

    @property
    def epilog(self) -> str:
        """The end of the help page."""
        examples = "\n".join(f"$ {example}" for example in self.examples)
        if not self.exit_statuses:
            return f"Examples:\n{examples}"
        statuses = "\n".join(f"{status}: {meaning}" for status, meaning in self.exit_statuses.items())
        return f"Examples:\n{examples}\n\nExit status:\n{statuses}"


PAGES: Final = {
    "": HelpPage(
        (
            "desk check configs/demo.toml    # is the plan sound, and what would run",
            "desk run configs/demo.toml      # run it",
        ),
        {},
    ),
    "run": HelpPage(
        (
            "desk run configs/demo.toml",
            "desk run configs/demo.toml --consumers 4 --run-dir runs/four",
            "desk run configs/demo.toml --in-process --quiet",
            "desk run --resume runs/four",
        ),
        EXIT_STATUSES,
    ),
    "submit": HelpPage(
        (
            "desk submit configs/demo.toml",
            "desk submit configs/paper.toml --run-dir /data/runs/monday --include lists/",
        ),
        EXIT_STATUSES
        | {
            "0": "the desk's own status: complete and balanced; also after a clean stop by a signal",
            "1": "the desk's own status: failed or not balanced; or the job did not run, or the connection was lost",
        },
    ),
    "check": HelpPage(
        ("desk check configs/demo.toml", "desk check configs/replay.toml --date 2026-01-05"),
        {
            "0": "the plan can be run",
            "1": STORE_DOWN,
            "2": "the plan, a strategy, a scanner, the tape or an argument is wrong",
            "3": EXIT_STATUSES["3"],
        },
    ),
    "tune": HelpPage(
        (
            "desk tune configs/demo.toml",
            "desk tune configs/paper.toml --from-run runs/monday --burst-seconds 10",
        ),
        {
            "0": "the advice was printed",
            "1": "the run folder is damaged, or the object store that holds the tape cannot be reached",
            "2": "the plan, the run folder or an argument is wrong",
            "3": EXIT_STATUSES["3"],
        },
    ),
    "report": HelpPage(
        ("desk report runs/four",),
        {"0": "the figures were printed", "2": "the folder holds no finished run, or an argument is wrong"},
    ),
    "top": HelpPage(
        (
            "desk top                                 # the newest desk that runs here",
            "desk top runs/four",
        ),
        {"0": "the desk has ended", "2": "no desk runs there", "3": "the cluster rejects the token"},
    ),
    "doctor": HelpPage(
        (
            "desk doctor                              # the newest run in runs",
            "desk doctor runs/four --seconds 20",
            "desk doctor runs/four --json",
        ),
        {
            "0": "the verdict was printed, also of a desk that is not healthy",
            "2": "there are no meters of a run",
        },
    ),
    "venue": HelpPage(
        (
            "desk venue --port 7788                               # a made-up market",
            "desk venue --port 7788 --tape day.parquet --speed 10 # a recorded day",
            "desk venue --standard --rate 50000 --seconds 30      # a load",
            "desk venue --port 7788 --faults configs/faults/bad-half-hour.toml  # with the faults of a script",
            "desk venue --relay --feed iex --port 7790            # one connection for many clients",
        ),
        {
            "0": "the play is over, or SIGINT or SIGTERM stopped the venue",
            "1": "the port cannot be used",
            "2": "the tape, the fault script or an argument is wrong",
            "3": "keys of the relay are missing, or the venue refused them",
        },
    ),
    "tape": HelpPage(("desk tape info day.parquet",), {}),
    "tape convert": HelpPage(
        (
            "desk tape convert t.csv --out t.parquet --map ts_ns=time:ms --map symbol=ticker --map price=px",
            "desk tape convert spy-*.parquet --out spy.parquet --set symbol=SPY --map ts_ns=time --map price=price",
        ),
        {"0": "the tape was written", "2": "a file, a mapping or an argument is wrong"},
    ),
    "data": HelpPage(("desk data get SPY AAPL --from 2026-01-05 --to 2026-01-09", "desk data ls"), {}),
    "data get": HelpPage(
        (
            "desk data get SPY AAPL --from 2026-01-05 --to 2026-01-09",
            "desk data get SPY --from 2026-01-05 --to 2026-01-05 --trades --plan configs/paper.toml",
        ),
        {
            "0": "the catalog has everything that was asked for, of days that are over",
            "1": "the history cannot be had; what was fetched is kept",
            "2": "the plan or an argument is wrong",
            "3": EXIT_STATUSES["3"],
        },
    ),
    "data ls": HelpPage(("desk data ls",), {"0": "the list was printed", "2": "a file of the catalog is damaged"}),
    "data gaps": HelpPage(("desk data gaps",), {"0": "the gaps were printed", "2": "a file of the catalog is damaged"}),
    "tape record": HelpPage(
        (
            "desk tape record configs/paper.toml --out today.parquet",
            "desk tape record configs/demo.toml --out demo.parquet --seconds 60",
        ),
        {
            "0": "the tape was written, also after ctrl-c",
            "1": "the feed failed; the tape has what came before",
            "2": "the plan or an argument is wrong, or nothing was received",
            "3": EXIT_STATUSES["3"],
        },
    ),
    "tape info": HelpPage(
        ("desk tape info day.parquet", "desk tape info s3://bucket/2026-01"),
        {
            "0": "the facts were printed",
            "1": STORE_DOWN,
            "2": "the path names no tape that can be read, or an argument is wrong",
            "3": EXIT_STATUSES["3"],
        },
    ),
}
"""By the command's name; "" is `desk` itself."""
