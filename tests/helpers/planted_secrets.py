"""Copies this project and plants secrets in many of its folders."""

import shutil
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("actors", "console", "desk", "strategies")
PLANTED: Final = "planted where it must not leave"
SECRETS: Final = (
    "ALPACA_SECRET_KEY",
    "ray_auth_token",
    ".pgpass",
    ".netrc",
    ".env",
    "prod.env",
    "server.key",
    "tls.pem",
    "id_rsa",
    ".aws/credentials",
    "secrets/ALPACA_API_KEY",
    "account",
    "accounts/main.py/account",
    "my_credentials.py",
    "secrets.toml",
    "weights.json",
)
"""Some names do not look like secrets; these files must not be sent either."""


def plant_secrets(folder: Path) -> None:
    """Write every secret into the folder."""
    for name in SECRETS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLANTED)


def copy_project_with_secrets(target: Path, *files: str) -> set[str]:
    """Copy packages, configs and these files, plant secrets among them, and return the paths of the code."""
    for name in (*PACKAGES, "configs"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in files:
        shutil.copy(ROOT / name, target / name)
    code = {path.relative_to(target).as_posix() for path in target.rglob("*.py")}
    for place in (
        ".",
        "strategies",
        "strategies/examples",
        "configs",
        "desk",
        "desk/venues/alpaca/market",
        "tests",
        "docs",
        ".git",
    ):
        plant_secrets(target / place)
    return code


def files_with_secrets(folder: Path) -> list[str]:
    """The files below a folder that contain a planted secret."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path.relative_to(folder).as_posix() for path in files if PLANTED.encode() in path.read_bytes()]
