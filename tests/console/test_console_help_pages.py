"""The help pages as printed. They are made in console.cli and console.commands.venue_command."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.cli import app
from console.cli_reference import commands
from console.help_pages import EXIT_STATUSES, PAGES
from desk.model.errors import BY_SIGNAL, STOP_SIGNALS, DeskError, StoppedEarly

PROJECT = Path(__file__).parents[2]
COMMANDS = dict(commands())
EXAMPLES = [(name, example) for name, page in PAGES.items() for example in page.examples]
GROUPS = {name for name, command in COMMANDS.items() if hasattr(command, "commands")}


def desk(*args: str) -> Result:
    return CliRunner().invoke(app, args, env={"COLUMNS": "120", "NO_COLOR": "1"}, prog_name="desk")


def subclasses(kind: type[DeskError]) -> set[type[DeskError]]:
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_page_with_examples_and_exit_statuses(name: str) -> None:
    told = desk(*name.split(), "--help")

    assert told.exit_code == 0
    for example in PAGES[name].examples:
        assert f"$ {example}" in told.stdout
    for status in PAGES[name].exit_statuses:
        assert f"{status}: " in told.stdout
    assert (name in GROUPS) != bool(PAGES[name].exit_statuses)


def test_no_help_page_is_of_a_command_that_is_gone() -> None:
    assert set(PAGES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_h_is_short_for_help(name: str) -> None:
    assert desk(*name.split(), "-h").stdout == desk(*name.split(), "--help").stdout


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_the_parser_takes_every_example(name: str, example: str) -> None:
    program, *args = shlex.split(example, comments=True)
    context = COMMANDS[""].make_context("desk", args)
    typed: list[str] = []

    while hasattr(context.command, "commands"):
        word, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        typed.append(word)
        context = command.make_context(word, rest, parent=context)

    assert program == "desk"
    assert context.command in COMMANDS.values()
    assert " ".join(typed).startswith(name)
    assert not context.args


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_the_plans_of_examples_exist(name: str, example: str) -> None:
    plans = [word for word in shlex.split(example, comments=True) if word.endswith(".toml")]

    assert [plan for plan in plans if not (PROJECT / plan).is_file()] == []


def test_every_status_that_an_error_can_give_is_listed() -> None:
    by_class = {kind.exit_status for kind in subclasses(DeskError)}
    by_signal = {StoppedEarly(number).exit_status - number for number in STOP_SIGNALS}

    assert {"0", *map(str, by_class), *(f"{status} + signal" for status in by_signal)} == set(EXIT_STATUSES)
    assert by_signal == {BY_SIGNAL}


def test_commands_are_grouped_by_task() -> None:
    lines = desk("--help").stdout.splitlines()

    places = [
        next(number for number, line in enumerate(lines) if line.startswith(start))
        for start in ("╭─ Run a plan ", "│ run ", "╭─ Prepare a plan ", "│ check ", "╭─ Look at results ", "│ report ",
                      "╭─ Market data ", "│ tape ")
    ]  # fmt: skip

    assert places == sorted(places)


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_without_a_command_the_help_page_is_shown(name: str) -> None:
    alone = desk(*name.split())

    assert alone.exit_code == 2
    assert alone.output.rstrip() == desk(*name.split(), "--help").output.rstrip()


def test_every_option_is_explained() -> None:
    silent = [
        (name, parameter.name)
        for name, command in COMMANDS.items()
        for parameter in command.params
        if not parameter.help
    ]

    assert silent == []
