"""The credentials of a plan's feed, from the environment or from secrets files.

Tests: tests/desk/venues/test_registry.py
"""

from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from desk.config import Plan, load_settings
from desk.config.kinds import FEED_KINDS
from desk.config.plan_urls import is_loopback
from desk.model.errors import CredentialsError

ANY_KEY: Final = SecretStr("local")


def api_keys(plan: Plan) -> list[SecretStr]:
    """The credentials that the plan's kind of feed needs, in the registry's order.

    A venue on this machine accepts any key. Raises CredentialsError if one is missing.
    """
    secrets = load_settings().secrets()
    names = FEED_KINDS[plan.feed.kind].credentials
    missing = [name for name in names if name.lower() not in secrets]
    if missing and not is_loopback(urlsplit(plan.feed.url).hostname or ""):
        raise CredentialsError(
            f'[feed] kind = "{plan.feed.kind}"',
            f"no {' and no '.join(missing)}",
            f"{'both' if len(names) == 2 else 'all'}, in the environment or as files in the folder that "
            "RAYDESK_SECRETS_DIR names",
            "Set them, or name a `desk venue` on this machine in [feed] url.",
        )
    return [secrets.get(name.lower(), ANY_KEY) for name in names]
