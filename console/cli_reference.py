"""The reference page of the command line, from the parser: `python -m console.cli_reference` prints it."""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

import typer.main

from console.cli import app
from console.help_pages import EXIT_STATUSES, PAGES

INTRODUCTION: Final = """\
# The command line

Every command of `desk`, from the parser that reads it. `make docs` writes this page; do not edit it.

`desk --help` and `desk COMMAND --help` (or `-h`) show the same in the terminal, and `desk` alone shows the list of
commands. `desk --version` prints the releases of raydesk, Ray, the codec (the library that encodes and decodes frames
and batches) and Python. A flag goes before the environment, the environment before the plan.

stdout is for people: a live table on a terminal, plain lines elsewhere. Errors go to stderr; each names the place, what
was found, what was expected, and the remedy.
"""
STATUSES: Final = """\
The table holds for `desk run`, `desk submit` and `python -m actors`; the other commands use the numbers that their
sections list. An error that the desk does not expect is a defect of it: any command then prints the traceback, or names
the log that has it, and ends with 1. Memory that runs out is 1, too.

The first signal (SIGINT, which is ctrl-c, SIGTERM, SIGHUP or SIGQUIT) drains the lanes and writes the results; the
status is then 0 or 1. A signal that comes before the first second of the session is complete, and a second signal, end
the run with 128 + its number: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP, 131 for SIGQUIT. SIGHUP and SIGQUIT stay
ignored where they were ignored when the desk started (`nohup`).
"""
ACTIONS: Final = {
    "0": "nothing; if the last line counts problems, `problems` in summary.json names them",
    "1": "read the error and desk.log; where the error names `desk run --resume DIR`, that continues the run",
    "2": "correct the key, file or argument that the error names; nothing was started",
    "3": "set the keys that the error names, in the environment or as files in RAYDESK_SECRETS_DIR",
    "128 + signal": "start the run again; after a second signal `desk run --resume DIR` continues it",
}
"""By exit status: what the user can do."""
ACTORS: Final = """\
## python -m actors

`python -m actors PLAN …` does what `desk run PLAN …` does, with the same options and exit statuses. It is the entry
point of a Ray job that is submitted without `desk submit`:

```console
$ ray job submit --working-dir . -- python -m actors configs/demo.toml
```
"""
COMPLETION: Final = """\
## Completion

`desk --install-completion` makes the tab key complete commands, options, plans and run folders in bash, zsh, fish and
PowerShell, from the next shell on. For bash it adds a line to `~/.bashrc`, for zsh to `~/.zshrc`.
`desk --show-completion` prints the script instead.
"""
ENVIRONMENT: Final = {
    "NUM_CONSUMERS": "number of consumer processes, where `--consumers` is absent; 0: choose by the load",
    "DATA_CONNECTOR": "the feed, in place of `[feed] kind`",
    "ALPACA_API_KEY": "key of Alpaca's stream",
    "ALPACA_SECRET_KEY": "secret of Alpaca's stream",
    "POLYGON_API_KEY": "key of Polygon's stream",
    "RAYDESK_LEDGER_PASSWORD": "password of the ledger's PostgreSQL server",
    "RAYDESK_VENUE_KEY": "key that `desk venue` requires of its clients; a relay cannot start without it",
    "RAYDESK_VENUE_SECRET": "secret that `desk venue` requires",
    "RAYDESK_RUNS_DIR": "folder in which run folders are made; default: `runs`",
    "RAYDESK_TRACE_SAMPLE": "fraction of the batches that are traced, in place of `[telemetry] trace_sample`",
    "RAYDESK_STATE_DIR": "folder of keys, tokens and account ledgers; default: `raydesk` in XDG_STATE_HOME",
    "XDG_STATE_HOME": "base of that default; default: `~/.local/state`",
    "RAYDESK_CACHE_DIR": "folder of what can be fetched again: lists of symbols, history; default: `raydesk` in "
    "XDG_CACHE_HOME",
    "XDG_CACHE_HOME": "base of that default; default: `~/.cache`",
    "RAYDESK_DATA_DIR": "folder of what `desk data get` fetches; default: `raydesk/data` in XDG_DATA_HOME",
    "XDG_DATA_HOME": "base of that default; default: `~/.local/share`",
    "RAYDESK_STATE_KEY": "key that authenticates run folders, in place of the file in the state folder",
    "RAYDESK_SECRETS_DIR": "folder of files, each named like the variable that it stands for",
    "RAY_ADDRESS": "Ray cluster that `desk run` joins, where `--address` is absent",
    "RAY_API_SERVER_ADDRESS": "dashboard that `desk submit` uses, where `--address` is absent",
}


def page() -> str:
    """The whole page, in Markdown."""
    named = [(name, command) for name, command in commands() if name and not _is_group(command)]
    return "\n".join(
        [
            INTRODUCTION,
            *_overview(),
            "## Exit statuses",
            "",
            *_table(("exit status", "meaning", "what to do"), _statuses()),
            STATUSES,
            *(line for name, command in named for line in _section(name, command)),
            ACTORS,
            "## Environment",
            "",
            "A variable goes before a file of its name in the folder that RAYDESK_SECRETS_DIR names.",
            "",
            *_table(("variable", "meaning"), ENVIRONMENT.items()),
            COMPLETION.rstrip("\n"),
            "",
        ]
    )


def commands() -> Iterator[tuple[str, Any]]:
    """Each command as it is typed after `desk`, and what parses it; "" is `desk` itself. Parents come first."""
    yield from _below("", typer.main.get_command(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for each, inner in getattr(command, "commands", {}).items():
        yield from _below(f"{name} {each}".strip(), inner)


def _is_group(command: Any) -> bool:
    return hasattr(command, "commands")


def _overview() -> Iterator[str]:
    """The commands by task, as `desk --help` groups them."""
    panels = {name: command.rich_help_panel for name, command in commands()}
    rows = (
        (panels[name.partition(" ")[0]], f"[`desk {name}`](#desk-{name.replace(' ', '-')})", _summary(command))
        for name, command in commands()
        if name and not _is_group(command)
    )
    for panel, group in groupby(rows, key=lambda row: row[0]):
        yield from _table((panel, ""), (row[1:] for row in group))


def _statuses() -> Iterator[tuple[str, str, str]]:
    for status, meaning in EXIT_STATUSES.items():
        yield status, meaning, ACTIONS[status]


def _section(name: str, command: Any) -> Iterator[str]:
    context = command.make_context(f"desk {name}", [], resilient_parsing=True)
    help_page = PAGES[name]
    yield from (f"## desk {name}", "", command.help, "")
    yield from ("```", command.get_usage(context).removeprefix("Usage: "), "```", "")
    rows = [(_name(parameter), _meaning(parameter), _default(parameter)) for parameter in command.params]
    yield from _table(("argument or option", "meaning", "default"), rows)
    yield from _table(("exit status", "meaning"), help_page.exit_statuses.items())
    yield from ("```console", *(f"$ {example}" for example in help_page.examples), "```", "")


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    value = "" if parameter.is_flag else f" {parameter.metavar}"
    return f"`{', '.join(parameter.opts)}{value}`"


def _meaning(parameter: Any) -> str:
    return f"{parameter.help} Environment: {parameter.envvar}." if parameter.envvar else str(parameter.help)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "*required*"
    return "" if parameter.default in {None, False} else f"`{parameter.default}`"


def _summary(command: Any) -> str:
    return str(command.help).partition("\n")[0]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", r"\<")


if __name__ == "__main__":
    sys.stdout.write(page())
