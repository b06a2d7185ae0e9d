"""`canopy run --echo` as a user starts it: a process of its own on a free port of 127.0.0.1."""

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")}


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        port: where it listens
        pid: its process
        log: the lines that it has logged so far
    """

    port: int
    pid: int
    log: list[str]

    @property
    def echo(self) -> str:
        """The URL of the echo."""
        return f"ws://127.0.0.1:{self.port}/echo"


@contextlib.contextmanager
def served(data: Path, *arguments: str) -> Iterator[Served]:
    """Run a server with an echo until the end of the block."""
    command = [sys.executable, "-m", "canvas", "run", "--port", "0", "--data", str(data), "--echo", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=CLEAN, stderr=subprocess.PIPE, text=True) as process:
        try:
            port, log = _wait_until_ready(process)
            with _drained(process, log):
                yield Served(port, process.pid, log)
        finally:
            process.kill()  # one that has ended is not there to hear it


def _wait_until_ready(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    assert process.stderr is not None
    log: list[str] = []
    for line in process.stderr:
        log.append(line)
        if ready := re.search(r"canopy\.ready.*url=http://[^ ]*:(\d+)", line):
            return int(ready[1]), log
    raise AssertionError(f"ended with {process.wait()} before it was ready:\n{''.join(log)}")


@contextlib.contextmanager
def _drained(process: subprocess.Popen[str], log: list[str]) -> Iterator[None]:
    """Read the log until the server, told to stop, has ended: a full pipe would block it."""
    assert process.stderr is not None
    reader = threading.Thread(target=log.extend, args=(process.stderr,))
    reader.start()
    try:
        yield
    finally:
        process.terminate()
        reader.join()
