"""Escapes, line breaks, markup and HTML in every text from outside, and how each output shows them.

Whole runs in processes of their own, on a terminal of their own.
"""

import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest
from alpaca_server import AlpacaServer, Client
from log_lines import log_lines

from desk.model.ticks import Trade
from desk.model.units import SECOND_NS
from desk.tape.writer import TapeWriter

PROJECT: Final = Path(__file__).resolve().parents[4]
OPEN_NS: Final = 1_381_152_600 * SECOND_NS
PAYLOADS: Final = (
    "\x1b]0;owned\x07\x1b[2J",
    "\nFORGED ok · balanced · /runs/other",
    "\r\x08\x7f\x9b31m",
    "\u202egnp\u2066\u200b\ufeff\u2028",
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "[bold red]marked[/bold red] :warning:",
)
PAYLOAD: Final = "".join(PAYLOADS)
ACTED_ON: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
STRATEGY: Final = f"""
from desk.strategy import Strategy

class Planted(Strategy):
    def on_second(self, ctx):
        if ctx.price is not None:
            raise ValueError({PAYLOAD!r})
"""
TAPED: Final = """
[session]
name = "planted"
start = "09:30"
stop = "09:31"
[feed]
kind = "tape"
path = "day.parquet"
symbols = ["*"]
[[strategies]]
use = "planted:Planted"
"""
LIVE: Final = """
[session]
name = "planted"
mode = "paper"
calendar = "24/7"
[feed]
kind = "alpaca"
url = "{url}"
symbols = ["A"]
"""


class Elements(HTMLParser):
    """The elements of a page, and the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def on_terminal(folder: Path, *args: str) -> tuple[int, str]:
    """A desk command on a terminal of its own: exit status, and everything that it wrote there."""
    ours, theirs = pty.openpty()
    code = f"import sys; sys.path[0] = {str(PROJECT)!r}; from console.cli import main; main()"
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(
        [sys.executable, "-c", code, *args], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        said = b"".join(pieces(ours))
        status = process.wait(timeout=60)
    os.close(ours)
    return status, said.decode()


def pieces(terminal: int) -> Iterator[bytes]:
    try:
        while piece := os.read(terminal, 65_536):
            yield piece
    except OSError:  # how a terminal ends on Linux
        return


def acted_on(text: str) -> set[str]:
    return {sign for sign in text if unicodedata.category(sign) in ACTED_ON}


def texts(value: Any) -> Iterator[str]:
    """Every text of a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from texts(entry)


def without_rich(said: str) -> str:
    """What a terminal was sent, without the colours and cursor movements that rich itself makes."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said).replace("\r", "")


def assert_clean_terminal(said: str) -> None:
    assert "\x1b]" not in said
    assert "\x1b[2J" not in said
    assert "marked" in said
    shown = without_rich(said)
    assert acted_on(shown) <= {"\n"}
    assert not [line for line in shown.splitlines() if line.lstrip("! │~").startswith("FORGED")]
    assert "[bold red]marked[/bold red] :warning:" in shown.replace("\n", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "planted.py").write_text(STRATEGY)
    symbols = [f"S{number}{payload}" for number, payload in enumerate(PAYLOADS)]
    trades = [
        Trade(ordinal, symbol, OPEN_NS + second * SECOND_NS, OPEN_NS + second * SECOND_NS, 10.0, 100.0)
        for ordinal, (second, symbol) in enumerate(((s, x) for s in range(1, 6) for x in symbols), 1)
    ]
    with TapeWriter(tmp_path / "day.parquet") as tape:
        tape.write_ticks(trades)
    (tmp_path / "plan.toml").write_text(TAPED)
    return tmp_path


def test_of_a_tape_s_symbols_and_a_strategy_s_exceptions_nothing_acts_anywhere(folder: Path) -> None:
    status, said = on_terminal(folder, "run", "plan.toml", "--in-process", "--run-dir", "run")
    checked, told = on_terminal(folder, "report", "run")
    _, tape = on_terminal(folder, "tape", "info", "day.parquet")

    assert (status, checked) == (0, 0), said
    assert_clean_terminal(said)
    assert_clean_terminal(told)
    assert acted_on(without_rich(tape)) <= {"\n"}
    log = (folder / "run" / "desk.log").read_text()
    entries = log_lines(folder / "run" / "desk.log")
    assert len(entries) == len(log.splitlines())
    assert {entry["level"] for entry in entries} <= {"INFO", "WARNING", "ERROR"}
    assert acted_on(log) <= {"\n"}
    assert set().union(*map(acted_on, texts(entries))) == set()
    assert "FORGED" in log
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["problems"]
    assert set().union(*map(acted_on, texts(summary))) <= {"\n"}
    assert not [text for text in texts(summary) if text.startswith("FORGED") or "\nFORGED" in text]
    page = (folder / "run" / "report.html").read_text()
    elements = Elements(page)
    assert not elements.tags & {"img", "script"}
    assert not [name for name in elements.attributes if name.startswith("on")]
    assert acted_on(page) <= {"\n"}


async def refuse(client: Client) -> None:
    await client.send({"T": "success", "msg": "connected"})
    await client.receive()
    await client.send({"T": "error", "code": 402, "msg": f"no entry {PAYLOAD}"})
    await client.stay()


def test_of_a_venue_s_words_nothing_acts_anywhere(tmp_path: Path) -> None:
    with AlpacaServer(refuse) as venue:
        (tmp_path / "plan.toml").write_text(LIVE.format(url=venue.url))
        status, said = on_terminal(tmp_path, "run", "plan.toml", "--in-process", "--run-dir", "run")

    assert status == 3, said
    assert "no entry" in said
    assert_clean_terminal(said)
    log = tmp_path / "run" / "desk.log"
    assert not log.exists() or acted_on(log.read_text()) <= {"\n"}
