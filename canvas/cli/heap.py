"""Tune the C library's allocator so that freed memory returns to the system.

glibc raises its mmap threshold (up to 32 MiB) whenever a large block is freed; after that, blocks of that size come
from its heaps. A heap shrinks only from its end, so small live blocks pin the free space between them. Without this
tuning, each restart of an actor that reads the canvas again leaves more memory behind.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from typing import Final

_TRIM_THRESHOLD: Final = -1  # mallopt(3)
_MMAP_THRESHOLD: Final = -3
MAPPED_FROM: Final = 512 * 1024
"""Bytes from which a block gets its own mapping, which returns to the system when the block is freed."""
TRIMMED_FROM: Final = 16 * 1024 * 1024
"""Bytes that must be free at the end of a heap before it shrinks."""


def give_memory_back(environment: Mapping[str, str] = os.environ) -> None:
    """Fix glibc's allocator thresholds, unless the environment sets them (`MALLOC_…_`, `GLIBC_TUNABLES`).

    Does nothing with another C library.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in environment):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_THRESHOLD, MAPPED_FROM)
        library.mallopt(_TRIM_THRESHOLD, TRIMMED_FROM)
