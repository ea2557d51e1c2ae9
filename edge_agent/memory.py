"""Memory that stays as small as what is in use: the C library's allocator told how to keep it.

glibc gives every few threads an arena of their own and learns to take pictures from them. With a
thread a camera, and cameras that come and go, arenas fill with holes: after five minutes 130 of 290
MB were free and not given back (`gridwatch-bench soak`). With two arenas, and whatever is as large
as a picture taken from the system and given back to it, 10 of 140 MB are.
"""

import ctypes

# Parameters of mallopt(3), from <malloc.h>.
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8

ARENAS = 2
# Above what a look allocates (0.7 MB, again and again), below a decoded 1080p picture (3 MB).
PICTURE_BYTES = 1 << 20


def keep_small() -> bool:
    """Set the allocator of this process, before its threads start; returns whether it took it.

    Other C libraries than glibc do not fill with holes like this, and are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(
        mallopt(what, value)
        for what, value in ((M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, PICTURE_BYTES))
    )
