"""Memory that a step frees is kept for the next step.

glibc gives every tensor of more than 32 MiB back to the system when it is freed, and the next one comes page by page,
each of which the system first fills with zeros. On a CPU that is much of a training step: SimVP with gSTA and SVQ
on t2m in the published size, batch 8, on 2 cores: 370,000 page faults and 2.0 s a step; with what is freed kept: none,
and 1.4 s. The process is not larger at its largest, but stays so until the end. That holds while nothing small is kept
of every step: among the large tensors it would cut the memory into pieces that fit none of them.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Parameters of mallopt, and what glibc comes to by itself after some steps.
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
KEEP = {MMAP_MAX: 0, TRIM_THRESHOLD: -1}
AS_USUAL = {MMAP_MAX: 65536, MMAP_THRESHOLD: 2**25, TRIM_THRESHOLD: 2**26}
_inside = 0


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """In this context, or a function with this decorator, glibc keeps what is freed; elsewhere nothing happens."""
    global _inside
    mallopt = _mallopt()
    _inside += 1
    if mallopt and _inside == 1:
        for parameter, value in KEEP.items():
            mallopt(parameter, value)
    try:
        yield
    finally:
        _inside -= 1
        if mallopt and _inside == 0:
            for parameter, value in AS_USUAL.items():
                mallopt(parameter, value)
            ctypes.CDLL(None).malloc_trim(0)


def _mallopt() -> Callable[[int, int], int] | None:
    """The function of the C library, where it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library.mallopt if hasattr(library, "gnu_get_libc_version") else None
