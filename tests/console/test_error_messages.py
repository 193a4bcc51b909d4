import json
import re
from pathlib import Path

import pytest
import typer

from console.error_messages import ErrorReporter
from desk.model.errors import CredentialsError, DeskError, LedgerError, PlanError


@pytest.mark.parametrize(("kind", "status"), [(PlanError, 2), (CredentialsError, 3), (LedgerError, 1)])
def test_a_fault_is_reported_in_full_without_a_traceback(
    kind: type[DeskError], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as exit_, ErrorReporter():
        raise kind("plan.toml, [feed] kind", "`tap`", '"tape" or "synthetic"', "Did you mean `tape`?")

    told = capsys.readouterr()
    assert exit_.value.exit_code == status
    assert told.out == ""
    for part in ("plan.toml, [feed] kind", "`tap`", '"tape" or "synthetic"', "Did you mean `tape`?"):
        assert part in told.err
    assert "Traceback" not in told.err


def test_what_is_unknown_about_a_fault_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), ErrorReporter():
        raise PlanError("plan.toml", "no such file")

    assert capsys.readouterr().err == "error: plan.toml: no such file\n"


def test_a_defect_is_one_line_with_its_traceback_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "desk.log"
    secret = "a key that the environment has"
    monkeypatch.setenv("ALPACA_SECRET_KEY", secret)
    log.write_text("what the desk had logged\n")

    faults = ErrorReporter()
    faults.log = log
    with pytest.raises(typer.Exit) as exit_, faults:
        raise ZeroDivisionError(f"two\nlines of {secret}")

    assert exit_.value.exit_code == 1
    assert (
        capsys.readouterr().err == f"error: unexpected ZeroDivisionError: two lines of {secret} (traceback in {log})\n"
    )
    before, defect = log.read_text().splitlines()
    assert before == "what the desk had logged"
    entry = json.loads(defect)
    assert (entry["level"], entry["event"]) == ("ERROR", "unexpected")
    assert re.fullmatch(r"Traceback .*\nZeroDivisionError: two\nlines of \*\*\*", entry["traceback"], re.DOTALL)


def test_a_defect_before_there_is_a_run_folder_shows_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), ErrorReporter():
        raise KeyError("x")

    told = capsys.readouterr().err
    assert "Traceback" in told
    assert told.splitlines()[-1] == "error: unexpected KeyError: 'x'"


def test_an_exit_and_an_interrupt_pass() -> None:
    with pytest.raises(typer.Exit) as exit_, ErrorReporter():
        raise typer.Exit(7)
    with pytest.raises(KeyboardInterrupt), ErrorReporter():
        raise KeyboardInterrupt

    assert exit_.value.exit_code == 7


def test_too_little_memory_is_no_defect(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as exit_, ErrorReporter():
        raise MemoryError

    told = capsys.readouterr().err
    assert exit_.value.exit_code == 1
    assert told.startswith("error: memory: ")
    assert "Traceback" not in told


def test_a_defect_whose_message_cannot_be_read_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    with pytest.raises(typer.Exit), ErrorReporter():
        raise Mute

    assert "its message cannot be read" in capsys.readouterr().err
