"""How the canvas and its store are: asked for `/healthz` and for the console."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from actors import CallExit, Target, call
from canvas.live.canvas import CanvasStatus, GetStatus
from canvas.store import GetHealth, Health

PATIENCE: Final = 1.0
"""Seconds that a process has to answer."""


async def what_is_wrong(server: Target, canvas: Target) -> str | None:
    """Tell why the canvas can be neither painted nor shown until an operator repairs it; None if it can.

    A full or slow disk does not count: viewing goes on. Anybody may read the text; the log and the console tell more.
    """
    health, status = await asyncio.gather(ask(server, GetHealth()), ask(canvas, GetStatus()))
    if isinstance(health, Health) and health.lost is not None:
        return "the database was deleted, moved or replaced"
    return "the canvas cannot be read" if isinstance(status, CanvasStatus) and status.error is not None else None


async def ask(target: Target, question: object) -> Any:
    """Ask a process for `PATIENCE` seconds; returns its answer, or a text that says why there is none.

    A process that waits for a full disk must not delay those who ask how it is.
    """
    try:
        return await call(target, question, timeout=PATIENCE)
    except CallExit as exit:
        return f"does not answer: {exit.reason}"
