"""The only code that uses private names and undocumented settings of Ray.

    names.py      each name with the parameters used, and what the desk does where this Ray does not have it
    starting.py   what the desk changes in Ray while `ray.init` runs, and in its environment
    calls.py      Ray's gRPC services, with time limits that its public functions do not have

`tests/actors/test_ray_internals.py` compares every name with the installed Ray, and fails where another file uses one.
"""
