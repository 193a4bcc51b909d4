"""The settings of a local venue: access rules, and how it plays its source.

Tests: tests/desk/local_venue/test_local_venue_server.py
"""

from dataclasses import dataclass
from typing import Final, Literal

from desk.model.errors import PlanError
from desk.model.units import MS_NS

Mix = Literal["trades", "quotes", "both"]

CRYPTO_ENDPOINT: Final = "/v1beta3/crypto/us"
ENDPOINTS: Final = ("/v2/iex", "/v2/sip", "/v2/delayed_sip", "/v2/test", CRYPTO_ENDPOINT)
POLYGON_ENDPOINT: Final = "/stocks"
JSON_ENDPOINT: Final = "/json"
STREAMS: Final = (*ENDPOINTS, POLYGON_ENDPOINT, JSON_ENDPOINT)
"""The paths of all streams; entitlements concern Alpaca's, ENDPOINTS."""
MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Credentials, entitlements and limits. None: no limit, any value.

    `entitled` are the endpoints that the account may use; `buffer_bytes` limits the server's buffer for a client that
    does not read. Limits count per endpoint (connections) and per connection (symbols: the trade and quote channels
    together, as Alpaca's basic plan counts them).
    """

    key: str | None = None
    secret: str | None = None
    entitled: tuple[str, ...] = ENDPOINTS
    symbol_limit: int | None = None
    connection_limit: int | None = 1
    auth_timeout_s: float = 10.0
    buffer_bytes: int = 64 * MIB

    def __post_init__(self) -> None:
        _check("--symbol-limit", self.symbol_limit, self.symbol_limit is None or self.symbol_limit > 0)
        _check("--connection-limit", self.connection_limit, self.connection_limit is None or self.connection_limit > 0)
        _check("--buffer-mb", self.buffer_bytes / MIB, self.buffer_bytes > 0)


@dataclass(frozen=True, slots=True)
class PlaySettings:
    """How the source is played.

    At most one of `speed` (a factor of real time) and `rate_per_s` (Poisson arrivals from `seed`) is given; neither
    means as fast as the slowest client reads. `frame_ns` is the time covered by one array; `single` sends every event
    in its own frame. With `restamp` times are moved to now. `limit` plays only the source's first events; `loop`
    restarts at the end, with fresh trade ids and without corrections and cancels.
    """

    speed: float | None = 1.0
    rate_per_s: float | None = None
    frame_ns: int = MS_NS
    single: bool = False
    restamp: bool = False
    loop: bool = False
    limit: int | None = None
    mix: Mix = "both"
    seed: int = 1
    wait_clients: int = 1
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.speed is not None and self.rate_per_s is not None:
            raise PlanError("--speed, --rate", "both", "one of them", "A rate is a schedule of its own: drop --speed.")
        _check("--speed", self.speed, self.speed is None or self.speed > 0)
        _check("--rate", self.rate_per_s, self.rate_per_s is None or self.rate_per_s > 0)
        _check("--frame-ms", self.frame_ns / MS_NS, self.frame_ns > 0)
        _check("--limit", self.limit, self.limit is None or self.limit > 0)
        _check("--wait-clients", self.wait_clients, self.wait_clients > 0)
        _check("--seconds", self.seconds, self.seconds is None or self.seconds > 0)

    @property
    def paced(self) -> bool:
        """Whether events follow a schedule that does not wait for clients."""
        return self.speed is not None or self.rate_per_s is not None


def _check(option: str, found: object, good: bool) -> None:
    if not good:
        raise PlanError(option, f"{found!r}", "a number above 0", "Give another value, or leave it out.")
