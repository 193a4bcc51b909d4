"""A tradeplan from its file."""

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
    """The plan in a TOML file, checked; with `settings` the environment is laid over it.

    A relative `feed.path` is looked for beside the plan first, then in the current directory, and is
    absolute in what is returned; a URL stays what it is. Raises PlanError for everything that is wrong with the file.
    """
    raw = _parsed(path)
    try:
        plan = Plan.model_validate(raw)
    except ValidationError as error:
        raise plan_error(str(path), raw, error) from None
    if plan.feed.path and not is_url(plan.feed.path):
        feed = plan.feed.model_copy(update={"path": _looked_for(path, plan.feed.path)})
        plan = plan.model_copy(update={"feed": feed})
    return plan if settings is None else override(plan, settings, None)


def _parsed(path: Path) -> dict[str, Any]:
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
    """The parser ends its message with "(at line 3, column 8)", "(at end of document)" or, seldom, no place."""
    what, told, where = message.partition(" (at ")
    where = where.rstrip(")") if told else "TOML"
    if where == "end of document":
        lines = text.splitlines() or [""]
        where = f"line {len(lines)}, column {len(lines[-1]) + 1}"
    return PlanError(f"{path}, {where}", what, "TOML", "Text stands in quotes; `#` starts a comment.")


def _found(written: str, folder: Path) -> str:
    """Where a path or glob is; one that is nowhere stays beside the plan, for its reader to say so.

    A folder's name is never a pattern, whatever characters it has.
    """
    for root in (folder, Path()):
        place = root / written
        if place.exists():
            return str(place.resolve())
        if any(iglob(written, root_dir=root)):  # noqa: PTH207  takes absolute globs too
            return _below(root, Path(written))
    return _below(folder, Path(written)) if _is_glob(written) else escape(str((folder / written).resolve()))


def _below(root: Path, written: Path) -> str:
    """The glob as an absolute path: what stands before its first pattern is resolved."""
    at = next((number for number, part in enumerate(written.parts) if _is_glob(part)), len(written.parts))
    return str(Path(escape(str((root / Path(*written.parts[:at])).resolve())), *written.parts[at:]))


def _looked_for(path: Path, written: str) -> str:
    """Where the plan's tape is. Raises PlanError for text that is no path at all, such as one far too long."""
    try:
        return _found(written, path.parent)
    except (OSError, RuntimeError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise PlanError(
            f"{path}, [feed] path", f"{written_value(written)}: {why}", "the path of a tape", "Correct `path`."
        ) from None


def _is_glob(text: str) -> bool:
    return escape(text) != text
