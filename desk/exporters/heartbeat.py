"""The outgoing heartbeat: a URL fetched every 30 s while the desk is healthy. Its absence raises an alarm elsewhere."""

import threading
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Final

from desk.exporters.desk_health import Health
from desk.exporters.export_failures import ExportFailures

EVERY_S: Final = 30.0
TIMEOUT_S: Final = 10.0
FIRST_LOOK_S: Final = 0.5
CLOSE_S: Final = 0.5


class Heartbeat:
    """Fetches the URL in a thread of its own; failures are counted."""

    def __init__(
        self, url: str, health: Callable[[], Health], outcome: ExportFailures, every_s: float = EVERY_S
    ) -> None:
        self._request = urllib.request.Request(url, headers={"User-Agent": "raydesk"})  # noqa: S310 - the plan takes http and https only
        self._health = health
        self._outcome = outcome
        self._every_s = every_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End; a fetch under way is not waited for."""
        self._closing.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        wait_s = min(FIRST_LOOK_S, self._every_s)
        while not self._closing.wait(wait_s):
            if self._health().ok:
                self._outcome.report(self._fetch())
                wait_s = self._every_s
            else:
                wait_s = min(FIRST_LOOK_S, self._every_s)

    def _fetch(self) -> str:
        """Fetch the URL; return why it failed, "" if it did not. The URL may hold a key, so it is not named."""
        try:
            with urllib.request.urlopen(self._request, timeout=TIMEOUT_S):  # noqa: S310 - as above
                return ""
        except OSError as error:  # URLError and HTTPError too
            return str(error)
        except HTTPException as error:  # its text may have the URL
            return type(error).__name__
