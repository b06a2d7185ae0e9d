"""The servers, each a child process on a free port of 127.0.0.1, ended by its own pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.machine import ROOT, cores, installed_version

START_TIMEOUT = 60.0
"""Seconds a server has to open its port."""
STOP_TIMEOUT = 5.0
"""Seconds it has to end after SIGTERM before it is killed."""
BASELINE = "websockets"
"""The server that the others are compared with."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A server that can be started.

    Attributes:
        name: what the tables call it
        arguments: of Python; `{port}` and `{folder}` stand for a free port and an empty folder
        needs: the distribution without which there is no such server
    """

    name: str
    arguments: tuple[str, ...]
    needs: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether it can be started here."""
        return self.needs is None or installed_version(self.needs) is not None


_RUN = (
    *("-m", "canvas", "run", "--port", "{port}", "--data", "{folder}", "--echo", "--rate-limit", "off"),
    *("--log-level", "warning", "--console-port", "off", "--ping-interval", "0"),  # the generator answers no ping
)
CANOPY = Kind("canopy", (*_RUN, "--store", "memory"))
DURABLE = Kind("canopy on disk", (*_RUN, "--store", "sqlite"))
KINDS = (
    CANOPY,
    Kind("websockets", ("-m", "tests.bench.serve_websockets", "{port}"), needs="websockets"),
    Kind("picows", ("-m", "tests.bench.serve_picows", "{port}"), needs="picows"),
)
PAINTED_ON = (CANOPY, DURABLE, *KINDS[1:])
"""Those that take part in the fan-out of a canvas."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    name: str
    port: int
    pid: int


class StartError(RuntimeError):
    """A server did not open its port."""


@contextlib.contextmanager
def running(kinds: tuple[Kind, ...] = KINDS) -> Iterator[list[Server]]:
    """Have one server of each kind that is installed running, all on the same core and not the generator's."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_running(kind)) for kind in kinds if kind.is_installed]


@contextlib.contextmanager
def _running(kind: Kind) -> Iterator[Server]:
    folder = tempfile.mkdtemp(prefix="canopy-bench-")
    port = free_port()
    command = [sys.executable, *(part.format(port=port, folder=folder) for part in kind.arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        os.sched_setaffinity(process.pid, cores()[0])
        wait_for_port(kind.name, process, port)
        yield Server(kind.name, port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for_port(name: str, process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a server listens.

    Raises:
        StartError: if it ends before, or takes longer than `START_TIMEOUT`.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartError(f"{name} ended with {process.returncode} before it opened port {port}")
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=START_TIMEOUT).close()
            return
        time.sleep(0.02)
    raise StartError(f"{name} did not open port {port} within {START_TIMEOUT:g} s")
