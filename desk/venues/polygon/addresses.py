"""The server of Polygon's history for a plan.

Tests: tests/desk/venues/polygon/test_polygon_history.py
"""

from typing import Final
from urllib.parse import urlsplit

from desk.config import Plan
from desk.config.plan_urls import is_loopback

HOSTS: Final = {"polygon.io": "https://api.polygon.io", "massive.com": "https://api.massive.com"}
"""Of REST, by the end of the stream's host name."""


def history_url(plan: Plan, stream_url: str) -> str:
    """The server for a stream: the plan's `rest_url`; else that of a stream on this machine; else the vendor's."""
    if plan.feed.rest_url:
        return plan.feed.rest_url
    parts = urlsplit(stream_url)
    host = parts.hostname or ""
    if is_loopback(host):
        return f"http{'s' if parts.scheme == 'wss' else ''}://{parts.netloc}"
    return next((url for end, url in HOSTS.items() if host == end or host.endswith(f".{end}")), HOSTS["massive.com"])
