"""Lines that Ray prints go to the log."""

import logging
from contextlib import redirect_stdout

import pytest

from actors.driver.stdout_to_log import StdoutToLog


def test_what_is_printed_is_logged_line_by_line_without_colours(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)

    with redirect_stdout(StdoutToLog(logging.getLogger())):
        print("\x1b[33m(raylet)\x1b[0m a worker died\n\nand another")  # noqa: T201 - what is tested

    assert [record.message for record in caplog.records] == [
        "ray says: (raylet) a worker died",
        "ray says: and another",
    ]
    assert capsys.readouterr().out == ""
