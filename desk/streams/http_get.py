"""One HTTP GET on an event loop, for the clock of a venue.

Tests: tests/desk/feeds/live/test_session_clock.py
"""

import asyncio
import ssl
from typing import Final
from urllib.parse import urlsplit

MAX_BYTES: Final = 64 << 10
TIMEOUT_S: Final = 5.0
MAX_SHOWN: Final = 80


async def http_get(url: str) -> bytes:
    """The body of a 200 answer of at most 64 KiB. Raises OSError for anything else, TimeoutError included.

    No redirect is followed.
    """
    parts = urlsplit(url)
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=tls, limit=MAX_BYTES)
        try:
            # HTTP/1.0: no chunks, and the server closes at the end.
            writer.write(f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
            await writer.drain()
            answer = await reader.read(MAX_BYTES)
            while part := await reader.read(MAX_BYTES):
                answer += part
                if len(answer) > MAX_BYTES:
                    raise OSError(f"{url} answers with more than {MAX_BYTES >> 10} KiB")
        finally:
            writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split()
    if len(status) < 2 or status[1] != b"200":
        raise OSError(f"{url} answers {b' '.join(status)[:MAX_SHOWN].decode('latin-1')!r}")
    return body
