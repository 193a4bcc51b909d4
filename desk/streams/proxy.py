"""A proxy that the environment names for a host, and that the desk does not use.

Tests: tests/desk/streams/test_connecting_faults.py
"""

from websockets.proxy import get_proxy
from websockets.uri import WebSocketURI


def unused_proxy(uri: WebSocketURI) -> str:
    """A remark for the text of a failed connection; "" if no proxy applies. Credentials are removed."""
    proxy = get_proxy(uri)
    if proxy is None:
        return ""
    address = proxy.partition("://")[2] or proxy
    return (
        f" (the environment names the proxy {address.rpartition('@')[2]}, which is not used: the desk connects "
        f"directly to {uri.host})"
    )
