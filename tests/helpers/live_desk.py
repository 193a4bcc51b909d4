"""A desk on a live feed that trades all the time: venue, plan and strategy."""

import asyncio
import time
from pathlib import Path

from alpaca_server import Client, quote, trade

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
STRATEGY = """
from desk.strategy import Strategy

class Flip(Strategy):
    '''Buys, sells, and so on.'''

    def on_second(self, ctx):
        if ctx.price is None or ctx.open_orders:
            return
        if ctx.position.quantity:
            ctx.sell(ctx.position.quantity)
        else:
            ctx.buy(10)
"""
PLAN = """
[session]
name = "live"
mode = "paper"
calendar = "24/7"
[feed]
kind = "alpaca"
url = "{url}"
channels = ["trades", "quotes"]
symbols = ["AAA", "BBB", "CCC", "DDD"]
[guards]
max_clock_skew_ms = 600000
max_data_latency_s = 600.0
[consumers]
count = 2
cpus = 0.5
[risk]
max_orders_per_minute = 20
[[strategies]]
use = "flip_strategy:Flip"
symbols = ["*"]
"""


async def market(client: Client) -> None:
    """Quotes and trades of all symbols, twenty times a second, until the client leaves; one trade is sent twice."""
    await client.greet()
    await client.acknowledge()
    number = 0
    while True:
        number += 1
        now_ns = time.time_ns()
        ticks = [tick for name in SYMBOLS for tick in (quote(name, now_ns), trade(name, now_ns, i=number))]
        await client.send(*ticks, ticks[-1])
        await asyncio.sleep(0.05)


def write_live_plan(folder: Path, url: str, more: str = "") -> Path:
    """Write the plan and its strategy; return the plan's path."""
    (folder / "flip_strategy.py").write_text(STRATEGY)
    plan = folder / "live.toml"
    plan.write_text(PLAN.format(url=url) + more)
    return plan
