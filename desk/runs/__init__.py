"""Run folders: the files of one run, and the data for a resume."""

from desk.runs.folder import RunFolder

__all__ = ["RunFolder"]
