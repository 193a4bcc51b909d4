"""Run folders: what one run leaves behind, and how it is found again."""

from desk.runs.folder import RunFolder

__all__ = ["RunFolder"]
