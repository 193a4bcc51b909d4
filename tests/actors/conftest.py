"""The test session's Ray, for every test here that asks for it."""

from heads import ray_head

__all__ = ["ray_head"]
