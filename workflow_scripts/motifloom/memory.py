"""What the C library does with freed memory."""

import ctypes
import platform

# glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1  # as size_t, the largest


def hold_freed() -> bool:
    """Let this process hold on to the memory it frees; whether that could be arranged.

    A step of training frees what the next one asks for again. By itself glibc returns large
    pieces to the system each time, which hands them out again page by page and zeroed: for a
    network with tens of millions of weights a third of a step. Held memory counts as used until
    the process ends. To be called once, before training; without glibc nothing happens.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER))
