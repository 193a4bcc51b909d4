"""The Ray that a desk starts for itself: on loopback, with a token, watched, in a folder that is removed at the end.

    ray_folder.py      the private folder with Ray's sockets, logs and token; removes folders of killed desks
    authentication.py  the token, and the environment by which Ray's processes find it
    machine_limits.py  the resources that Ray needs of the machine
    ray_process_watch.py reports the death of Ray's processes
    cleanup.py         kills Ray and removes its folder when the desk itself is killed
    start.py           start and end

Ray has no options for a node that only this user can access: `actors.ray_internals.starting` replaces some private
names of Ray 2.60 while it starts (docs/decisions/0005, 0019).
"""

from typing import Final

OBJECT_STORE_BYTES: Final = 128 * 1024 * 1024
