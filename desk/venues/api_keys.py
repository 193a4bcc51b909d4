"""The credentials of a plan's feed, from the environment or from secrets files.

Tests: tests/desk/venues/test_registry.py
"""

from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from desk.config import Plan, load_settings, named_secret
from desk.config.plan_urls import is_loopback
from desk.model.errors import CredentialsError

ANY_KEY: Final = SecretStr("local")
ALL_OF: Final = {1: "that variable", 2: "both"}


def api_keys(plan: Plan) -> list[SecretStr]:
    """The credentials that the plan's feed needs, in the registry's order; then the one that `key_env` names.

    A venue on this machine accepts any key. Raises CredentialsError if one is missing.
    """
    secrets = load_settings().secrets()
    names = plan.feed.credentials
    found = {name: secrets.get(name.lower()) or named_secret(name) for name in names}
    missing = [name for name, secret in found.items() if secret is None]
    if missing and not is_loopback(urlsplit(plan.feed.url).hostname or ""):
        raise CredentialsError(
            f'[feed] kind = "{plan.feed.kind}"',
            f"no {' and no '.join(missing)}",
            f"{ALL_OF.get(len(names), 'all')}, in the environment or as files in the folder that "
            "RAYDESK_SECRETS_DIR names",
            f"Set {'it' if len(names) == 1 else 'them'}, or name a `desk venue` on this machine in [feed] url.",
        )
    return [secret or ANY_KEY for secret in found.values()]
