"""The options of `desk venue --relay` as settings of a relay. Tests: tests/console/test_console_relay.py."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from desk.config import Settings
from desk.config.plan_urls import is_loopback
from desk.local_venue.relay.relay_server import RelaySettings
from desk.local_venue.venue_settings import CRYPTO_ENDPOINT, AccessRules
from desk.model.errors import CredentialsError, PlanError

HOST: Final = "wss://stream.data.alpaca.markets"
ENDPOINT_OF_FEED: Final = {
    **{name: f"/v2/{name}" for name in ("iex", "sip", "delayed_sip", "test")},
    "crypto": CRYPTO_ENDPOINT,
}
ANY_KEY: Final = SecretStr("local")
CREDENTIALS: Final = ("ALPACA_API_KEY", "ALPACA_SECRET_KEY")


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """Whether to relay, which stream, and its address where that is not Alpaca's."""

    relay: bool
    feed: str
    url: str

    def check(self, *, given_tape: bool, given_faults: bool) -> None:
        """Raise PlanError for options that exclude each other, and for wrong values."""
        if not self.relay:
            if self.url:
                raise PlanError("--relay-url", "no --relay", "both", "Add --relay.")
            return
        for option, given in (("--tape or --standard", given_tape), ("--faults", given_faults)):
            if given:
                raise PlanError(f"--relay, {option}", "both", "one of them", "Drop one: a relay plays nothing.")
        if self.feed not in ENDPOINT_OF_FEED:
            close = get_close_matches(self.feed, ENDPOINT_OF_FEED, n=1)
            remedy = f"Did you mean `{close[0]}`?" if close else "Correct the word."
            raise PlanError("--feed", f"`{self.feed}`", f"one of {', '.join(ENDPOINT_OF_FEED)}", remedy)
        parts = urlsplit(self.url)
        if parts.username or parts.password:
            raise PlanError("--relay-url", "credentials in the address", "none", "Set ALPACA_API_KEY and the secret.")
        if self.url and (parts.scheme not in {"ws", "wss"} or not parts.hostname):
            raise PlanError("--relay-url", f"`{self.url}`", "ws://host:port/path or wss://host/path", "Correct it.")
        if parts.scheme == "ws" and not is_loopback(parts.hostname or ""):
            found = "keys would be sent unencrypted to another machine"
            raise PlanError("--relay-url", found, "wss://", "Use wss://, or a venue on this machine.")

    def settings(self, settings: Settings, rules: AccessRules) -> RelaySettings:
        """The relay's settings. Raises CredentialsError if the venue's keys, or the relay's own, are missing."""
        if rules.key is None:
            raise CredentialsError(
                "desk venue --relay",
                "no RAYDESK_VENUE_KEY",
                "the key that the relay's clients must give, which is not the venue's",
                "Set RAYDESK_VENUE_KEY, and give it to the clients in place of the venue's key.",
            )
        endpoint = ENDPOINT_OF_FEED[self.feed]
        url = self.url or HOST + endpoint
        key, secret = settings.alpaca_api_key, settings.alpaca_secret_key
        if is_loopback(urlsplit(url).hostname or ""):
            key, secret = key or ANY_KEY, secret or ANY_KEY
        if key is None or secret is None:
            missing = [name for name, value in zip(CREDENTIALS, (key, secret), strict=True) if value is None]
            raise CredentialsError(
                "desk venue --relay",
                f"no {' and no '.join(missing)}",
                "the venue's keys, in the environment or as files in the folder that RAYDESK_SECRETS_DIR names",
                "Set them.",
            )
        return RelaySettings(url, key, secret, endpoint)
