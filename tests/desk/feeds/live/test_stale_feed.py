"""A symbol that a venue forgets, on real sockets: its bars go on, its trades only after it is subscribed anew."""

import asyncio
from pathlib import Path
from typing import Any

from alpaca_server import NS, AlpacaServer, Client, stamp, trade
from test_feed_reports import Run, now

from desk.inprocess.in_process_desk import InProcessDesk

SPEED = 60
MINUTE_NS = 60 * NS
FORGOTTEN_NS = 150 * NS


class ForgetfulVenue:
    """A venue whose session runs 60 times as fast as the wall clock, and which forgets B after two and a half minutes.

    It sends both symbols again once B is subscribed anew, if it is `forgiving`.
    """

    def __init__(self, *, forgiving: bool) -> None:
        self.forgiving = forgiving
        self.began_ns = now() // MINUTE_NS * MINUTE_NS
        self.anew = False
        self.unsubscribed: list[dict[str, Any]] = []

    def session_ns(self) -> int:
        return self.began_ns + (now() - self.began_ns) * SPEED

    def clock(self) -> dict[str, Any]:
        wall_ns = now()
        session_ns = self.began_ns + (wall_ns - self.began_ns) * SPEED
        return {"session_ns": session_ns, "wall_ns": wall_ns, "speed": float(SPEED), "state": "playing"}

    async def __call__(self, client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        answers = asyncio.create_task(self._answer(client))
        try:
            await self._play(client)
        finally:
            answers.cancel()

    async def _answer(self, client: Client) -> None:
        while True:
            request = await client.acknowledge()
            if request["action"] == "unsubscribe":
                self.unsubscribed.append(request)
            self.anew = self.anew or bool(self.unsubscribed and request["action"] == "subscribe")

    async def _play(self, client: Client) -> None:
        first_ns, minute_ns, number = self.session_ns(), self.session_ns() // MINUTE_NS * MINUTE_NS, 0
        while True:
            session_ns, number = self.session_ns(), number + 1
            symbols = ["A", "B"]
            if session_ns > first_ns + FORGOTTEN_NS and not (self.anew and self.forgiving):
                symbols = ["A"]
            messages = [trade(symbol, session_ns, i=number) for symbol in symbols]
            while session_ns > minute_ns + MINUTE_NS + NS:
                messages += [self._bar(symbol, minute_ns) for symbol in "AB"]
                minute_ns += MINUTE_NS
            await client.send(*messages)
            await asyncio.sleep(0.02)

    def _bar(self, symbol: str, minute_ns: int) -> dict[str, Any]:
        prices = {"o": 10.0, "h": 10.0, "l": 10.0, "c": 10.0, "v": 500, "n": 5, "vw": 10.0}
        return {"T": "b", "S": symbol, **prices, "t": stamp(minute_ns)}


def test_a_forgotten_symbol_is_subscribed_anew_and_its_gap_ends_with_its_next_trade(tmp_path: Path) -> None:
    venue = ForgetfulVenue(forgiving=True)

    def done(house: InProcessDesk) -> bool:
        return any(gap.why == "the symbol is stale: B" for gap in house.loop.gaps.records)

    with AlpacaServer(venue, clock=venue.clock) as server:
        run = Run(tmp_path, server.url, done, clock="venue")

    assert run.status == 0
    assert venue.unsubscribed[0]["trades"] == ["B"]
    assert run.summary["problems"] == []
    assert any("1 symbol stale for a time, 1 spell" in warning for warning in run.summary["warnings"])
    (gap,) = [gap for gap in run.summary["gaps"] if gap["why"] == "the symbol is stale: B"]
    assert gap["symbols"] == 1
    assert gap["to_ns"] - gap["from_ns"] > MINUTE_NS
    assert run.logged("ERROR", "trades that did not come: B, subscribed anew") < run.logged(
        "WARNING", "come again of B"
    )


def test_a_symbol_that_stays_forgotten_is_a_problem_an_alert_and_subscribed_anew_once(tmp_path: Path) -> None:
    venue = ForgetfulVenue(forgiving=False)

    def done(house: InProcessDesk) -> bool:
        stale = house.loop.watch.stale
        return "B" in stale and house.loop.session_ns > stale["B"] + 4 * MINUTE_NS

    with AlpacaServer(venue, clock=venue.clock) as server:
        run = Run(tmp_path, server.url, done, clock="venue")

    assert (run.status, run.summary["ok"]) == (0, False)
    (problem,) = run.summary["problems"]
    assert "1 symbol stale when the run ended: B for" in problem
    assert [request["trades"] for request in venue.unsubscribed] == [["B"]]
    assert any("stale, data missing: B" in alert for view in run.views for alert in view.alerts)
    assert server.connections == 1
