"""Reads a tradeplan from a TOML file."""

import tomllib
from glob import escape, iglob
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from desk.config.override import override
from desk.config.plan import Plan
from desk.config.plan_errors import plan_error, written_value
from desk.config.plan_urls import is_url
from desk.config.settings import Settings
from desk.model.errors import PlanError


def load_plan(path: Path, settings: Settings | None = None) -> Plan:
    """Read and validate a plan; `settings` override it.

    A relative `feed.path` is searched first in the plan's folder, then in the working directory, and made absolute; a
    URL is left unchanged. Raises PlanError for any fault.
    """
    raw = _parse(path)
    try:
        plan = Plan.model_validate(raw)
    except ValidationError as error:
        raise plan_error(str(path), raw, error) from None
    if plan.feed.path and not is_url(plan.feed.path):
        feed = plan.feed.model_copy(update={"path": _tape_path(path, plan.feed.path)})
        plan = plan.model_copy(update={"feed": feed})
    return plan if settings is None else override(plan, settings, None)


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError:
        raise PlanError(str(path), "no such file", "a tradeplan (TOML)", "Check the path.") from None
    except IsADirectoryError:
        raise PlanError(str(path), "a directory", "a tradeplan (TOML)", "Name a file in it.") from None
    except OSError as error:
        raise PlanError(str(path), error.strerror or str(error), "a file that can be read") from None
    except UnicodeDecodeError as error:
        raise PlanError(
            f"{path}, byte {error.start}", "not UTF-8", "TOML, which is UTF-8 text", "Save the plan as UTF-8."
        ) from None
    except ValueError as error:
        raise _syntax_error(path, text, str(error)) from None


def _syntax_error(path: Path, text: str, message: str) -> PlanError:
    """The parser's messages end with "(at line 3, column 8)", "(at end of document)" or, rarely, no place."""
    found, has_place, where = message.partition(" (at ")
    where = where.rstrip(")") if has_place else "TOML"
    if where == "end of document":
        lines = text.splitlines() or [""]
        where = f"line {len(lines)}, column {len(lines[-1]) + 1}"
    return PlanError(f"{path}, {where}", found, "TOML", "Put text in quotes; `#` starts a comment.")


def _locate(written: str, folder: Path) -> str:
    """The absolute path or glob; if nothing matches, in the plan's folder, and the tape's reader reports it.

    The characters of the folder's own name are never a pattern.
    """
    for root in (folder, Path()):
        place = root / written
        if place.exists():
            return str(place.resolve())
        if any(iglob(written, root_dir=root)):  # noqa: PTH207  takes absolute globs too
            return _absolute_glob(root, Path(written))
    return _absolute_glob(folder, Path(written)) if _is_glob(written) else escape(str((folder / written).resolve()))


def _absolute_glob(root: Path, written: Path) -> str:
    """The glob as an absolute path: the part before its first pattern is resolved."""
    at = next((number for number, part in enumerate(written.parts) if _is_glob(part)), len(written.parts))
    return str(Path(escape(str((root / Path(*written.parts[:at])).resolve())), *written.parts[at:]))


def _tape_path(path: Path, written: str) -> str:
    """The tape's absolute path. Raises PlanError for text that cannot be a path, such as one that is too long."""
    try:
        return _locate(written, path.parent)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise PlanError(
            f"{path}, [feed] path", f"{written_value(written)}: {reason}", "the path of a tape", "Correct `path`."
        ) from None


def _is_glob(text: str) -> bool:
    return escape(text) != text
