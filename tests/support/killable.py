"""A canvas in a process of its own that can be killed, forked off one that has imported everything already."""

import asyncio
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from canvas.application import CanvasApplication
from canvas.config import Config

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


class KillableCanvas:
    """A running canvas.

    Attributes:
        pid: its process
        port: where it listens
    """

    def __init__(self, data: Path, **options: Any) -> None:
        ours, theirs = _context.Pipe()
        self._child = _context.Process(target=_run, args=(theirs, Config(port=0, data=data, **options)), daemon=True)
        self._child.start()
        assert self._child.pid is not None
        self.pid = self._child.pid
        theirs.close()
        with ours:
            self.port: int = ours.recv()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._child.kill()

    def end(self) -> None:
        """Wait until it is dead."""
        self._child.join()
        assert self._child.exitcode == -signal.SIGKILL
        self._child.close()


def _run(started: Connection, config: Config) -> None:
    with open(os.devnull, "w") as nowhere:  # its log must not depend on what a test does to its files
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    uvloop.run(_serve(started, config))


async def _serve(started: Connection, config: Config) -> None:
    application = CanvasApplication(config)
    await application.start()
    started.send(application.sockets.port)
    await asyncio.Event().wait()
