"""How many examples a property gets: all in trials, three of ten in `make test`, which draws others each time."""

from typing import Any

from hypothesis import settings

ALL = "all-examples"
"""The profile of trials: pytest's `--hypothesis-profile`."""


def register_profiles() -> None:
    """How long an example takes says something of the machine, nothing of the code: no deadline."""
    settings.register_profile(ALL, deadline=None, max_examples=100)
    settings.register_profile("some-examples", deadline=None, max_examples=30)
    settings.load_profile("some-examples")


def examples(count: int, **more: Any) -> settings:
    """So many examples in trials, three of ten otherwise; `more` are settings of hypothesis."""
    return settings(max_examples=max(1, count * settings().max_examples // 100), **more)
