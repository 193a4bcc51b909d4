"""The only code that uses private names and undocumented settings of Ray.

    names.py      each name with the parameters used, and the desk's behaviour without it
    starting.py   changes to Ray while `ray.init` runs, and to its environment
    calls.py      Ray's gRPC services, with time limits that its public functions do not have

`tests/actors/test_ray_internals.py` compares every name with the installed Ray, and fails if another file uses one.
"""
