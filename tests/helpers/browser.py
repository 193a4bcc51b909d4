"""Debian's Chromium without a window, by its debugging protocol (Chrome DevTools Protocol over a websocket)."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from running_programs import until
from websockets.sync.client import ClientConnection, connect

WIDTH, HEIGHT = 1280, 720
DEADLINE_S = 90.0


class Page:
    """One page of the browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command; events are ignored."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=DEADLINE_S))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found

    def text(self) -> str:
        """The text that a person sees."""
        found = self.call("Runtime.evaluate", expression="document.body ? document.body.innerText : ''")
        return str(found["result"].get("value", ""))

    def wait_for(self, *texts: str) -> str:
        """The page's text, once all of these are in it."""
        end_s = time.monotonic() + DEADLINE_S
        while missing := [text for text in texts if text not in self.text()]:
            assert time.monotonic() < end_s, f"{missing} not in the page:\n{self.text()}"
            Event().wait(0.2)
        return self.text()

    def screenshot(self, path: Path) -> None:
        """Save what is visible as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser_page(folder: Path) -> Iterator[Page]:
    """An empty page of a Chromium of its own; the test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium here (.ci/packages installs it)")
    folder.mkdir()
    options = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={WIDTH},{HEIGHT}", "about:blank",
    ]  # fmt: skip
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen([program, *options], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        port_file = folder / "profile" / "DevToolsActivePort"
        port, path = until(lambda: port_file.read_text().split(), "the start of the browser")
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as browser:
            target = Page(browser).call("Target.createTarget", url="about:blank")["targetId"]
            with connect(f"ws://127.0.0.1:{port}/devtools/page/{target}", max_size=None, proxy=None) as connection:
                page = Page(connection)
                size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
                page.call("Emulation.setDeviceMetricsOverride", **size)
                yield page
    finally:
        process.terminate()
        process.wait(timeout=30)
