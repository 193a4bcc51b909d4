"""A strategy that is slow, or collects garbage, while the test wants it; and sends an order now and then."""

import gc
import time

from sitecustomize import fault

from desk import strategy

HEAP = 400_000


class Faulty(strategy.Strategy):
    def __init__(self, params: strategy.Params) -> None:
        super().__init__(params)
        self._seconds = 0

    def on_second(self, ctx: strategy.Context) -> None:
        self._seconds += 1
        match fault():
            case "strategy":
                time.sleep(0.2)
            case "collector":
                heap = [[number] for number in range(HEAP)]
                gc.collect()
                del heap
        if self._seconds % 3 == 0 and not ctx.open_orders:
            (ctx.sell if ctx.position.quantity > 0 else ctx.buy)(1)
