"""Many processes in one Python process, which has to be a new one: memory is counted by the operating system."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

MANY = """
import asyncio, pathlib
from actors import GenServer, start

class Idle(GenServer):
    def init(self):
        self.count = 0

async def main():
    refs = [await start(Idle) for _ in range(100_000)]
    assert all(ref.is_alive() for ref in refs)

asyncio.run(main())
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) * 1024)  # ru_maxrss would begin with what pytest has
"""


def test_a_hundred_thousand_idle_processes_take_less_than_300_megabytes() -> None:
    done = subprocess.run([sys.executable, "-c", MANY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300_000_000
