"""A REST server on loopback that answers GETs as Alpaca does, from answers that a test writes.

Source of paths and fields: alpaca-py 0.44 (alpaca/data/historical, alpaca/data/mappings.py, alpaca/trading/client.py).
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

NS = 1_000_000_000


class Asked(NamedTuple):
    """A request: its path, its query, its headers, and its connection."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    connection: int


class Answer(NamedTuple):
    """An answer other than the page of the path. With `drip_s` its bytes come one by one, so far apart."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})
    drip_s: float = 0.0
    raw: bytes | None = None


Page = Callable[[dict[str, str]], Any]


class AlpacaRestServer(ThreadingHTTPServer):
    """`pages` give the JSON of a path for a query; `next_answers` come before them, once each, in order.

    Requests for paths in `apart` get their pages in any case, and are not in `asked`.
    """

    daemon_threads = True

    def __init__(self, pages: dict[str, Page]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = pages
        self.next_answers: list[Answer] = []
        self.asked: list[Asked] = []
        self.apart: frozenset[str] = frozenset()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, path: str) -> list[Asked]:
        """The requests for a path."""
        return [each for each in self.asked if each.path == path]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that leave before the end of an answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AlpacaRestServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        is_apart = parts.path in self.server.apart
        if not is_apart:
            self.server.asked.append(Asked(parts.path, query, dict(self.headers), self.client_address[1]))
        scripted = self.server.next_answers and not is_apart
        answer = self.server.next_answers.pop(0) if scripted else self._page(parts.path, query)
        body = answer.raw if answer.raw is not None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(body))} | dict(answer.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        if answer.drip_s:
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(answer.drip_s)
        else:
            self.wfile.write(body)

    def _page(self, path: str, query: dict[str, str]) -> Answer:
        page = self.server.pages.get(path)
        return Answer(404, {"message": "not found"}) if page is None else Answer(body=page(query))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's
        """Print nothing."""


@contextmanager
def alpaca_rest_server(pages: dict[str, Page]) -> Iterator[AlpacaRestServer]:
    """A running server."""
    with AlpacaRestServer(pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def rfc3339(time_ns: int) -> str:
    """A time as the API writes it."""
    seconds, nanos = divmod(time_ns, NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09}Z"


def rest_trade(ts_ns: int, price: float = 10.0, **more: Any) -> dict[str, Any]:
    """A trade as the API gives it."""
    return {"t": rfc3339(ts_ns), "x": "V", "p": price, "s": 100, "c": ["@"], "i": 7, "z": "C"} | more


def rest_bar(start_ns: int, **more: Any) -> dict[str, Any]:
    """A bar as the API gives it."""
    return {"t": rfc3339(start_ns), "o": 10.0, "h": 12.0, "l": 9.0, "c": 11.0, "v": 500, "n": 5, "vw": 10.5} | more


def rest_snapshot(now_ns: int, price: float, opened: float, day_ns: int, **more: Any) -> dict[str, Any]:
    """A snapshot as the API gives it: a print and a quote of now, the last whole minute, and the day's bar."""
    minute_ns = now_ns // (60 * NS) * 60 * NS - 60 * NS
    low, high = min(price, opened), max(price, opened)
    quote = {"bp": price - 0.01, "bs": 100, "ap": price + 0.01, "as": 100, "ax": "V", "bx": "V", "c": ["R"], "z": "C"}
    return {
        "latestTrade": rest_trade(now_ns, price),
        "latestQuote": {"t": rfc3339(now_ns)} | quote,
        "minuteBar": rest_bar(minute_ns, o=price, h=price, l=price, c=price),
        "dailyBar": rest_bar(day_ns, o=opened, h=high, l=low, c=price, v=9000, n=90),
        "prevDailyBar": None,
    } | more


def paged(rows: dict[str, list[dict[str, Any]]], name: str, rows_per_page: int) -> Page:
    """Rows by symbol in pages, by symbol and time, as the API gives trades and bars."""

    def page(query: dict[str, str]) -> dict[str, Any]:
        symbols = sorted(query["symbols"].split(","))
        inside = [
            (symbol, row)
            for symbol in symbols
            for row in rows.get(symbol, [])
            if query["start"] <= row["t"] <= query["end"]
        ]
        first = int(query.get("page_token", "0"))
        part: dict[str, list[dict[str, Any]]] = {}
        for symbol, row in inside[first : first + rows_per_page]:
            part.setdefault(symbol, []).append(row)
        more = first + rows_per_page < len(inside)
        return {name: part, "next_page_token": str(first + rows_per_page) if more else None}

    return page
