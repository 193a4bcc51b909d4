"""Which part of the desk runs in which process. This is the only package that knows Ray.

The actors are plain classes: producer, consumer, scanner, broker, ledger, keeper. Each can be built and called without
Ray; `cluster.py` makes actors of them. `doors.py` and `links.py` serve the ports of `desk.ports` by calls of actors,
which `handles.py` types. Private names of Ray are used in `ray_internals` and nowhere else. `supervisor.py` is the
driver: it creates the actors, watches them, and writes the results.
"""
