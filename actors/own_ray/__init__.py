"""The Ray that a desk starts for itself: on loopback, with a token, watched, in a folder that is removed at the end.

    ray_folder.py      the private folder with Ray's sockets, logs and token; folders of killed desks are removed
    authentication.py  the token, and the environment by which Ray's processes find it
    machine_limits.py  what it needs of the machine
    ray_process_watch.py reports the death of Ray's processes
    cleanup.py         ends and removes everything when the desk itself was killed
    start.py           all of it together

Ray has no options for a node that only this user can reach: `actors.ray_internals.starting` replaces some private names
of Ray 2.60 while it starts (docs/decisions/0005, 0019).
"""

from typing import Final

OBJECT_STORE_BYTES: Final = 128 * 1024 * 1024
