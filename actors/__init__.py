"""The processes of a desk on Ray. The only package that imports Ray.

This folder has the six actors: producer, consumer, scanner, broker, ledger, keeper. They are plain classes that hold
the parts of `desk`; tests build and call them without Ray. Its packages:

    driver        the driver's process: creates, watches and restarts all actors, writes the results
    calls         calls between actors: the ports of `desk.ports` over Ray
    metrics       counters in Ray's metrics
    ray_cluster   starting or joining Ray, creating and stopping actors
    own_ray       a Ray that the desk starts for itself
    jobs          Ray Jobs, for `desk submit`
"""
