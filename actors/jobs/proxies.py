"""Proxies from the environment, for connections to a cluster's dashboard.

Tests: tests/console/test_console_submit.py
"""

import os
from typing import Final
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from desk.config.plan_urls import is_loopback

EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")


def go_direct_to_loopback(url: str) -> None:
    """Let connections to servers on this machine bypass the environment's proxies."""
    host = urlsplit(url).hostname or ""
    if not is_loopback(host):
        return
    for name in EXCEPTIONS:
        said = os.environ.get(name, "")
        if said.strip() != "*":
            os.environ[name] = ",".join(filter(None, (said, host)))


def proxy_variable(url: str) -> str:
    """The variable that names the proxy for this URL; empty for a direct connection."""
    if not select_proxy(url, get_environ_proxies(url)):
        return ""
    scheme = urlsplit(url).scheme
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if os.environ.get(name)), "a proxy")
