"""Who lives in which process.

This is the only floor that knows Ray, and of it only these files do:

    cluster.py    starting or joining Ray, creating actors, ending them
    links.py      the doors of `desk.ports` as calls to actor handles
    meters.py     counters in Ray's metrics

The actors themselves are plain classes: producer, consumer, scanner, broker, ledger, keeper. Each holds one
piece of `desk.pipeline` and can be built and called without Ray. `supervisor.py` is the driver: it creates
all of them, watches them, and closes the books.
"""
