"""The command-line reference page lists everything in the parser."""

from pathlib import Path

from pydantic import AliasChoices

from console.cli import SUBMIT_VARIABLE
from console.cli_reference import ENVIRONMENT, commands, page
from desk.config import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_is_what_make_docs_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/reference/cli.md is not up to date: run `make docs`"


def test_every_command_has_a_section_with_each_of_its_options() -> None:
    sections = {text.partition("\n")[0]: text for text in page().split("\n## ")}

    for name, command in commands():
        if not name or hasattr(command, "commands"):
            continue
        for parameter in command.params:
            assert (
                f"| `{parameter.opts[0] if parameter.opts[0].startswith('-') else parameter.metavar}"
                in (sections[f"desk {name}"])
            )


def test_every_variable_that_the_settings_read_is_listed() -> None:
    names = {
        alias.choices[0] if isinstance(alias := field.validation_alias, AliasChoices) else alias or name.upper()
        for name, field in Settings.model_fields.items()
    }

    assert {*names, "RAYDESK_SECRETS_DIR", "RAY_ADDRESS", SUBMIT_VARIABLE} == set(ENVIRONMENT)
