"""Rows for which record() returned survive kill -9 of the writer."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from desk.ledger import SqlLedger

PROJECT = Path(__file__).parents[3]

WRITER = """
import sys
from desk.ledger import SqlLedger
from desk.model.orders import Intent, OrderEvent
from desk.model.records import Decision

ledger = SqlLedger(sys.argv[1])
for number in range(1, 100_000):
    key = f"s-a-SPY-{number}"
    intent = Intent(key, "a", "SPY", number, "buy", 1.0, number, 0, False, 1.0)
    fill = OrderEvent(number, "SPY", "a", key, "filled", "buy", "market", "day", 1.0, number, 1.0, 1.0, 10.0)
    ledger.record([Decision(intent, "accepted")], [fill])
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_no_commit_is_lost_and_none_is_halved_by_a_kill(url: str, seed: int) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert writer.stdout is not None
    for _ in range(random.Random(seed).randrange(1, 200)):
        confirmed = int(writer.stdout.readline())
    writer.kill()
    confirmed = max([confirmed, *map(int, writer.stdout.read().splitlines())])
    writer.stdout.close()
    writer.wait()

    ledger = SqlLedger(url)
    decisions, fills, counts = ledger.decisions(), ledger.fills(), ledger.counts()
    ledger.close()

    assert len(decisions) == len(fills) == counts["filled"]
    assert confirmed <= len(decisions) <= confirmed + 1
    assert [decision.intent.number for decision in decisions] == list(range(1, len(decisions) + 1))
