"""Memory limits. Each case runs in its own process, because a limit cannot be undone."""

import subprocess
import sys

GRANTED = """
from desk.process.memory_limit import MemoryLimit
MIB = 1 << 20
allowance = MemoryLimit(256 * MIB)
held = [bytearray(200 * MIB)]
try:
    held.append(bytearray(200 * MIB))
    print("no limit")
except MemoryError:
    print("limited")
allowance.renew()
held.append(bytearray(200 * MIB))
try:
    held.append(bytearray(200 * MIB))
    print("no limit")
except MemoryError:
    print("limited again")
"""

LESS = """
import resource
from desk.process.memory_limit import MemoryLimit
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
MemoryLimit(2 << 30)
print(resource.getrlimit(resource.RLIMIT_DATA) == (1 << 30, 1 << 30))
"""


def told_by(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def test_who_asks_for_more_than_is_granted_is_refused_and_what_is_renewed_counts_from_what_is_held() -> None:
    assert told_by(GRANTED) == ["limited", "limited again"]


def test_a_narrower_limit_of_the_system_stays() -> None:
    assert told_by(LESS) == ["True"]
