"""alpaca-py's REST clients, whose requests have time limits and keep to the rate limit.

By itself alpaca-py sends no timeout and repeats a refused request (429, 504) three times, 3 s apart, orders included
(alpaca/common/rest.py, 0.44). It takes its session and its retries from two attributes, which are replaced here.

Tests: tests/desk/venues/alpaca/test_alpaca_clients.py
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.historical.screener import ScreenerClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.trading.client import TradingClient
from pydantic import SecretStr

from desk.config.redaction import SecretFilter
from desk.model.plain_text import from_outside
from desk.streams.limits import MAX_TEXT_CHARS
from desk.venues.alpaca.rest.addresses import RestAddresses
from desk.venues.rest.request_budget import RequestClass, budget_of
from desk.venues.rest.rest_session import RestSession

LIMIT_S: Final[Mapping[RequestClass, float]] = {"orders": 10.0, "history": 30.0, "scans": 75.0}
"""The time limit of a request by class, with its waits and retries: a scan may wait for the next minute's budget."""

Client = TypeVar("Client", bound=RESTClient)
T = TypeVar("T")


class RestUnavailable(Exception):
    """A request got no usable answer. One line says why; `status` is the HTTP status, 0 without one."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class AlpacaClients:
    """The clients of one class of requests. Keys are never in its texts."""

    def __init__(self, addresses: RestAddresses, key: SecretStr, secret: SecretStr, kind: RequestClass) -> None:
        self._kind = kind
        values = (key.get_secret_value(), secret.get_secret_value())
        self._secrets = SecretFilter(values)
        keys: dict[str, Any] = {"api_key": values[0], "secret_key": values[1], "raw_data": True}
        data, trading = addresses
        self._budget = budget_of(urlsplit(data).netloc)
        self.stocks = self._limited(StockHistoricalDataClient(**keys, url_override=data), data)
        self.screener = self._limited(ScreenerClient(**keys, url_override=data), data)
        self.corporate_actions = self._limited(CorporateActionsClient(**keys, url_override=data), data)
        self.trading = self._limited(TradingClient(**keys, url_override=trading), trading)

    @property
    def refusals(self) -> int:
        """How many requests of this process the market data server has refused (429)."""
        return self._budget.refusals

    def get(self, client: RESTClient, path: str, parameters: Mapping[str, object], kind: type[T]) -> T:
        """The answer to a GET of one of the clients, as `kind`. Raises RestUnavailable."""
        with self.translate_errors():
            return msgspec.convert(client.get(path, dict(parameters)), kind, strict=False)

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raise RestUnavailable for the errors of alpaca-py, of the connection and of a malformed answer."""
        try:
            yield
        except APIError as error:
            status = error.status_code or 0
            raise RestUnavailable(f"HTTP {status}: {self._plain(_message(str(error)))}", status) from None
        except requests.JSONDecodeError as error:
            raise RestUnavailable(f"an answer that is no JSON: {self._plain(str(error))}") from None
        except requests.RequestException as error:
            raise RestUnavailable(self._plain(f"{type(error).__name__}: {error}")) from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RestUnavailable(f"a malformed answer: {self._plain(str(error))}") from None

    def _limited(self, client: Client, url: str) -> Client:
        session = RestSession(budget_of(urlsplit(url).netloc), self._kind, LIMIT_S[self._kind])
        # Private, and the only way: the constructors take neither a session, nor "no retries" (0 means the default).
        client._session = session  # noqa: SLF001
        client._retry = 0  # noqa: SLF001
        return client

    def _plain(self, text: str) -> str:
        return from_outside(self._secrets.hide(text), MAX_TEXT_CHARS)


def chunks(symbols: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """The symbols in parts for one request each."""
    return (symbols[first : first + most] for first in range(0, len(symbols), most))


def _message(body: str) -> str:
    """The message in the body of an error, which is JSON where Alpaca itself answers."""
    try:
        return str(msgspec.json.decode(body, type=dict[str, Any])["message"])
    except (msgspec.MsgspecError, KeyError):
        return body
