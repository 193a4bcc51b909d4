"""Fingerprints of a run's inputs, which a resume compares.

Tests: tests/desk/runs/test_resume_file.py
"""

from collections.abc import Mapping

import msgspec


class Fingerprints(msgspec.Struct):
    """Each by name: files of the tape, modules of the project, versions. `ledger` is the ledger's identity.

    `plan` is the plan's file, as far as there is one: the plan itself is kept whole.
    """

    tape: dict[str, str] = {}
    ledger: str = ""
    code: dict[str, str] = {}
    versions: dict[str, str] = {}
    plan: dict[str, str] = {}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """One phrase for each name that was added, is gone, or has another fingerprint."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            found.append(f"{name} is gone")
        elif name not in before:
            found.append(f"{name} was added")
        elif before[name] != now[name]:
            found.append(f"{name} has changed ({before[name]}, now {now[name]})")
    return found
