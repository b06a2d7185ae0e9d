"""Has the C library give memory back that large values took.

glibc serves values of up to 32 MiB from its heaps once one so large was freed, and a heap shrinks from its end only:
small values that live on pin what is free between them. So each restart of an actor that reads the canvas again left
more behind.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from typing import Final

_TRIM_THRESHOLD: Final = -1  # mallopt(3)
_MMAP_THRESHOLD: Final = -3
MAPPED_FROM: Final = 512 * 1024
"""Bytes from which on a value has pages of its own, which go back to the system with it."""
TRIMMED_FROM: Final = 16 * 1024 * 1024
"""Bytes that are free at the end of a heap when it shrinks."""


def give_memory_back(environment: Mapping[str, str] = os.environ) -> None:
    """Set glibc's thresholds for good, unless the environment sets them (`MALLOC_…_`, `GLIBC_TUNABLES`).

    Nothing happens with another C library.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in environment):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_THRESHOLD, MAPPED_FROM)
        library.mallopt(_TRIM_THRESHOLD, TRIMMED_FROM)
