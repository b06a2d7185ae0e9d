"""The generator's process, as this one sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any

from tests.bench.machine import ROOT, cores


class Failed(RuntimeError):
    """A server did not do its job; the text says what was missing."""


class Load:
    """Starts the generator on a core of its own, if there are two; ends it with the block."""

    def __enter__(self) -> Load:
        command = [sys.executable, "-m", "tests.bench.generator"]
        self._child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(self._child.pid, cores()[1])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._child.terminate()
        self._child.wait()

    def do(self, command: str, **options: Any) -> dict[str, Any]:
        """Have one command done; see `generator.Generator`.

        Raises:
            Failed: if a server did not do its job.
        """
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({"do": command, **options}) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError("the load generator has ended; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        if "broken" in answer:
            raise Failed(answer["broken"])
        done: dict[str, Any] = answer["ok"]
        return done
