"""`desk --version`: the releases that decide how this desk behaves."""

from importlib.metadata import PackageNotFoundError, version
from platform import python_version


def version_lines() -> str:
    """The releases of raydesk, Ray, the codec and Python, one per line.

    The codec is the library that encodes and decodes frames and batches. None of these packages is imported.
    """
    releases = {
        "raydesk": _release("raydesk"),
        "Ray": _release("ray"),
        "codec": f"msgspec {_release('msgspec')}",
        "Python": python_version(),
    }
    return "\n".join(f"{name:<9}{release}" for name, release in releases.items())


def _release(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # raydesk itself in a Ray job: the job runs from a folder of files
        return "not installed"
