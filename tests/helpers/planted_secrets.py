"""A copy of this project with secrets planted all over it."""

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
"""Some are no secrets by their names, and stay all the same."""


def plant_secrets(folder: Path) -> None:
    """Put every secret into the folder."""
    for name in SECRETS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLANTED)


def copied_project(target: Path, *files: str) -> set[str]:
    """Copy packages, configs and these files, then plant secrets among them; the paths of its code."""
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


def holding_secrets(folder: Path) -> list[str]:
    """The files below a folder that hold what was planted."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path.relative_to(folder).as_posix() for path in files if PLANTED.encode() in path.read_bytes()]
