"""What the machine is, and what a process costs it. Linux only: the clocks and the memory of others come from there."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("uvloop", "websockets", "picows", "aiofastnet", "pykka", "orjson", "numpy")
"""What the header names the version of. picows brings its own transports, aiofastnet, and uses them by default."""
ROOT = Path(__file__).parents[2]


def facts() -> dict[str, str]:
    """Say where and with what this run was made."""
    cores = os.sched_getaffinity(0)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": "python -m tests.bench " + " ".join(sys.argv[1:]),
        "commit": _commit(),
        "cpu": f"{_cpu_model()}, {len(cores)} of {os.cpu_count()} cores usable",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()) + " (1, 5, 15 minutes, at the start)",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": ", ".join(f"{name} {installed_version(name) or 'not installed'}" for name in LIBRARIES),
    }


def installed_version(name: str) -> str | None:
    """The version of a distribution, or None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def cores() -> tuple[set[int], set[int]]:
    """The cores for the server and for the generator: one each if there are two, else the same for both."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, {usable[-1]}


def allow_many_files() -> int:
    """Raise the limit of open files as far as it goes; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, to the nanosecond (`/proc/PID/stat` counts in 10 ms)."""
    return time.clock_gettime((~pid << 3) | 2)  # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of the kernel


def resident_bytes(pid: int | str = "self") -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
