"""What the operating system tells of this process: memory, processor time, file descriptors."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

_STATM = Path("/proc/self/statm")
_FDS = Path("/proc/self/fd")
_PAGE = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Machine:
    """One look.

    Attributes:
        memory: resident bytes; where the system does not tell, the most there ever were
        cpu: seconds of processor time so far
        fds: open file descriptors; None where the system does not tell
        fd_limit: how many there may be; None for any number
    """

    memory: int
    cpu: float
    fds: int | None
    fd_limit: int | None


def look() -> Machine:
    """Ask the system. Takes some 30 us."""
    times = os.times()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return Machine(_memory(), times.user + times.system, _fds(), None if limit == resource.RLIM_INFINITY else limit)


def _memory() -> int:
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _fds() -> int | None:
    try:
        # Linux tells the number as the size of the folder since 6.2; to list it takes 3 ms at 10,000.
        return os.stat(_FDS).st_size or len(os.listdir(_FDS)) - 1
    except OSError:
        return None
