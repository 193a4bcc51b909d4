"""The user's folder of downloaded history.

Tests: tests/console/test_console_data.py
"""

from pathlib import Path

from desk.config import Settings


def data_folder(settings: Settings) -> Path:
    """The folder. Raises RuntimeError if there is no home folder."""
    if settings.data_dir is not None:
        return settings.data_dir.absolute()
    base = settings.xdg_data_home
    # The XDG Base Directory Specification: a path that is not absolute is ignored.
    if base is None or not base.is_absolute():
        base = Path("~/.local/share").expanduser()
    return base / "raydesk" / "data"
