"""A job server on loopback that speaks Ray's protocol for one job, whose states the test sets."""

import asyncio
import io
import threading
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import ray
from aiohttp import web

JOB = "raysubmit_1"


@dataclass
class JobLife:
    """What becomes of the job: its log comes in readings, each from the beginning, and the last lasts to the end.

    The first `agentless` submissions find no job agent. Readings before the last break off. `after_stop` is said, and
    the job STOPPED, when somebody asks for that; None = it never gets so far. A job that is not `endless` ends by
    itself. `lost` = after the first reading nothing answers.
    """

    readings: list[list[str]] = field(default_factory=lambda: [["ok · balanced · /runs/demo\n"]])
    status: str = "SUCCEEDED"
    exit_code: int | None = 0
    message: str = ""
    endless: bool = False
    after_stop: str | None = None
    refusal: str = ""
    agentless: int = 0
    token: str = ""
    is_ray: bool = True
    lost: bool = False


class JobServer:
    """The server, in a thread of its own. What it was told stands in `submitted`, `contents` and `stops`."""

    def __init__(self, life: JobLife) -> None:
        self.life = life
        self.submitted: list[dict[str, Any]] = []
        self.contents: dict[str, bytes] = {}
        self.stops = 0
        self.asked = 0
        self.reading = threading.Event()
        self._ended = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve)
        self._listening = threading.Event()
        self._leave = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join(10)

    def _serve(self) -> None:
        self._loop.run_until_complete(self._run())
        self._loop.close()

    async def _run(self) -> None:
        app = web.Application(middlewares=[self._authorized], client_max_size=64 << 20)
        app.add_routes(
            [
                web.get("/api/version", self._version),
                web.get("/api/packages/{protocol}/{name}", self._no_package),
                web.put("/api/packages/{protocol}/{name}", self._package),
                web.post("/api/jobs/", self._submit),
                web.get(f"/api/jobs/{JOB}", self._info),
                web.post(f"/api/jobs/{JOB}/stop", self._stop),
                web.get(f"/api/jobs/{JOB}/logs/tail", self._tail),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._listening.set()
        await self._leave.wait()
        self._ended.set()
        await runner.cleanup()

    @web.middleware
    async def _authorized(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if self.life.token and "Authorization" not in request.headers:
            return web.Response(status=401, text="Unauthorized: Missing authentication token")
        return await handler(request)

    @property
    def files(self) -> list[str]:
        """The names in the package."""
        return sorted(self.contents)

    async def _version(self, _request: web.Request) -> web.Response:
        if not self.life.is_ray:
            return web.Response(text="<html>")
        return web.json_response({"version": "4", "ray_version": ray.__version__, "ray_commit": "", "session_name": ""})

    async def _no_package(self, _request: web.Request) -> web.Response:
        return web.Response(status=404)

    async def _package(self, request: web.Request) -> web.Response:
        with zipfile.ZipFile(io.BytesIO(await request.read())) as package:
            self.contents = {name: package.read(name) for name in package.namelist()}
        return web.Response()

    async def _submit(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.asked <= self.life.agentless:
            return web.Response(status=500, text="No available agent to submit job, please try again later.")
        if self.life.refusal:
            return web.Response(status=500, text=self.life.refusal)
        self.submitted.append(await request.json())
        return web.json_response({"job_id": JOB, "submission_id": JOB})

    async def _info(self, request: web.Request) -> web.Response:
        if self.life.lost:
            _break_off(request)
        told = {"type": "SUBMISSION", "submission_id": JOB, "entrypoint": "", "message": self.life.message}
        if not self._ended.is_set():
            return web.json_response(told | {"status": "RUNNING"})
        return web.json_response(told | {"status": self.life.status, "driver_exit_code": self.life.exit_code})

    async def _stop(self, _request: web.Request) -> web.Response:
        self.stops += 1
        if self.life.after_stop is not None:
            self.life.status, self.life.exit_code = "STOPPED", None
            self._ended.set()
        return web.json_response({"stopped": True})

    async def _tail(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for piece in self.life.readings.pop(0):
            await socket.send_str(piece)
        self.reading.set()
        if self.life.readings or self.life.lost:
            _break_off(request)
        else:
            await self._live_on(socket)
        return socket

    async def _live_on(self, socket: web.WebSocketResponse) -> None:
        """The last reading lasts as long as the job."""
        if self.life.endless:
            await self._ended.wait()
            await socket.send_str(self.life.after_stop or "")
        self._ended.set()


def _break_off(request: web.Request) -> None:
    """End the connection as a lost tunnel does."""
    assert request.transport is not None
    request.transport.abort()
