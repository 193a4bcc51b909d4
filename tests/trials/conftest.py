"""Trials on the test session's Ray, with the helpers of the tests of the actors."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "actors"))

from heads import ray_head

__all__ = ["ray_head"]
