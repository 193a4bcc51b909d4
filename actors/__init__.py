"""Which part runs in which process. The only package that imports Ray.

The six actors stand here: producer, consumer, scanner, broker, ledger, keeper. They are plain classes, which hold the
parts of `desk` and can be built and called without Ray. Around them:

    driver        the driver's process: creates all actors, watches them, restarts them, writes the results
    calls         calls between actors: the ports of `desk.ports` over Ray
    metrics       counters in Ray's metrics
    ray_cluster   starting or joining Ray, creating and ending actors
    own_ray       a Ray that the desk starts for itself
    jobs          Ray Jobs, for `desk submit`
"""
