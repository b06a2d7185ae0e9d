"""What large values took goes back to the system, although small ones that came between them live on."""

import ctypes
import subprocess
import sys

import pytest

from canvas.cli import heap

PROGRAM = """
import os, resource, runpy, sys

# Not imported: what the command line imports leaves holes in the heap, in which all small values would find room.
give_memory_back = runpy.run_path(sys.argv[1])["give_memory_back"]

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() >> 20

give_memory_back(dict(item.split("=") for item in sys.argv[2:]))
large = b"x" * (8 << 20)
del large  # from now on glibc would take as large ones from its heap
before, small = resident(), []
large = []
for number in range(100):
    large.append(b"x" * (1 << 20))
    small.append(bytes([number]) * 2000)
most = resident()
large.clear()
print(most - before, resident() - before)
"""


def measure(*environment: str) -> tuple[int, int]:
    """How much larger a process was, and stays, in MiB."""
    command = [sys.executable, "-c", PROGRAM, heap.__file__, *environment]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    most, rest = map(int, found.stdout.split())
    return most, rest


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="glibc")
def test_memory_of_large_values_goes_back_to_the_system() -> None:
    most, rest = measure()
    assert most >= 100
    assert rest <= 2


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="glibc")
@pytest.mark.parametrize("setting", ["MALLOC_MMAP_THRESHOLD_=1", "GLIBC_TUNABLES=x"])
def test_thresholds_of_the_environment_are_left_alone(setting: str) -> None:
    most, rest = measure(setting)
    assert most >= 100
    assert rest > 50
