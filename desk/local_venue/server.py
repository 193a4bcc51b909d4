"""The venue as a server: one port for the streams, the REST endpoints, /clock and /stats."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from desk.local_venue.client import Client
from desk.local_venue.client_registry import ClientRegistry
from desk.local_venue.faults.fault_schedule import FaultSchedule
from desk.local_venue.faults.fault_script import FaultScript
from desk.local_venue.faults.faulty_client import FaultyClient
from desk.local_venue.faults.scripted_market import scripted_market
from desk.local_venue.json.json_protocol import KEY_HEADER, JsonServerProtocol
from desk.local_venue.loopback_server import LoopbackServer, json_page, wants_msgpack
from desk.local_venue.player import Player
from desk.local_venue.polygon.polygon_protocol import PolygonServerProtocol
from desk.local_venue.rest.rest_door import RestDoor, RestSettings
from desk.local_venue.rest.rest_hosts import is_rest
from desk.local_venue.rest.rest_records import AnswerSetup
from desk.local_venue.rest.trading_days import DaysOf, WeekDays
from desk.local_venue.server_protocol import Reply, ServerProtocol
from desk.local_venue.venue_settings import JSON_ENDPOINT, POLYGON_ENDPOINT, STREAMS, AccessRules, PlaySettings
from desk.local_venue.venue_stats import VenueStats, venue_stats
from desk.model.blocks import BlockSource

REQUEST_TIMEOUT_S: Final = 60.0
"""The first request for history reads the source up to the play's present, which takes its time."""


class VenueServer(LoopbackServer[Client]):
    """Listens on loopback while entered; `play` sends the source's events to subscribed clients.

    `faults` are injected into connections and market. Raises PlanError for one that cannot happen in this play.
    """

    def __init__(
        self,
        source: BlockSource,
        play: PlaySettings,
        rules: AccessRules,
        port: int = 0,
        compress: bool = False,
        faults: FaultScript | None = None,
        rest: RestSettings | None = None,
        days_of: DaysOf = WeekDays,
    ) -> None:
        compression = "deflate" if compress else None
        super().__init__(rules, port, open_timeout=REQUEST_TIMEOUT_S, compression=compression)
        self._faults = None if faults is None else FaultSchedule(faults, source.start_ns, play.speed)
        self._source = source = source if faults is None else scripted_market(faults, source)
        self._registry = ClientRegistry(rules.connection_limit)
        self._player = Player(source, play, self._registry, rules.buffer_bytes, self._faults)
        rest = rest or RestSettings()
        feeds = tuple(endpoint.removeprefix("/v2/") for endpoint in rules.entitled)
        setup = AnswerSetup(source, play, days_of, rest.actions, feeds)
        self._rest = RestDoor(rules, rest, setup, self._player.moment)

    async def _end_parts(self) -> None:
        await self._rest.close()

    @property
    def stats(self) -> VenueStats:
        """The figures now."""
        return venue_stats(self._player, self._registry, self._faults, self._rest)

    async def play(self) -> None:
        """Wait for the clients and play to the end. Raises BadInput if the source has no playable event."""
        await self._player.run()

    def _new_client(self, connection: ServerConnection) -> Client:
        assert connection.request is not None
        endpoint = connection.request.path.partition("?")[0]
        self._registry.opened += 1
        protocol = self._protocol(endpoint, wants_msgpack(connection))
        if self._faults is None:
            return Client(connection, protocol, self._source.symbols)
        return FaultyClient(connection, protocol, self._source.symbols, self._faults)

    def _leave(self, client: Client) -> None:
        self._registry.leave(client)

    def _protocol(self, endpoint: str, binary: bool) -> ServerProtocol:
        def admit() -> bool:
            return self._registry.admit(endpoint)

        if endpoint == POLYGON_ENDPOINT:
            return PolygonServerProtocol(self._rules, endpoint, admit)
        if endpoint == JSON_ENDPOINT:
            return JsonServerProtocol(self._rules, endpoint, admit)
        return ServerProtocol(self._rules, endpoint, binary, admit)

    async def _converse(self, client: Client) -> None:
        self._registry.join(client)
        async for message in client.connection:
            # No event is sent between the change and its acknowledgement: the reply is written before the first await.
            await client.answer("subscribe", partial(self._change, client, message))
            self._registry.changed.set()

    def _change(self, client: Client, message: str | bytes) -> Reply:
        version = client.protocol.subscription.version
        reply = client.protocol.receive(message)
        if client.protocol.subscription.version != version:
            client.resubscribed()
        return reply

    async def _answer_plain(self, connection: ServerConnection, request: Request) -> Response | None:
        """The pages for plain HTTP; None continues with a stream's handshake."""
        path = request.path.partition("?")[0]
        if path == JSON_ENDPOINT and self._rules.key not in {None, request.headers.get(KEY_HEADER)}:
            return connection.respond(HTTPStatus.UNAUTHORIZED, f"no valid key in the header {KEY_HEADER}\n")
        if path in STREAMS:
            return None
        if is_rest(path):
            return await self._rest.answer(request)
        pages: dict[str, Callable[[], object]] = {"/clock": self._player.clock, "/stats": lambda: self.stats}
        if path not in pages:
            known = ", ".join((*STREAMS, *pages))
            return connection.respond(HTTPStatus.NOT_FOUND, f"{path} does not exist; use one of {known}\n")
        return json_page(connection, msgspec.json.encode(pages[path]()))


def run_precisely(work: Coroutine[Any, Any, None]) -> None:
    """Run an event loop whose sleeps are exact to some 0.1 ms.

    epoll, the default, rounds time-outs up to whole milliseconds; select, for the few sockets of a venue,
    does not.
    """
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(work)
