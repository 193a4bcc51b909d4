"""The number of examples of a property test: all in trials, 30 % in `make test`, which draws new ones each time."""

from typing import Any

from hypothesis import settings

ALL = "all-examples"
"""The profile of trials: pytest's `--hypothesis-profile`."""


def register_profiles() -> None:
    """Register both profiles. No deadline: the time of an example depends on the machine."""
    settings.register_profile(ALL, deadline=None, max_examples=100)
    settings.register_profile("some-examples", deadline=None, max_examples=30)
    settings.load_profile("some-examples")


def examples(count: int, **more: Any) -> settings:
    """Settings with `count` examples in trials and 30 % of them otherwise; `more` are settings of hypothesis."""
    return settings(max_examples=max(1, count * settings().max_examples // 100), **more)
