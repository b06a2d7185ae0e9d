"""The health of the canvas and its store, for `/healthz` and for the console."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from actors import CallExit, Target, call
from canvas.live.canvas import CanvasStatus, GetStatus
from canvas.store import GetHealth, Health

PATIENCE: Final = 1.0
"""Seconds within which a process must answer."""


async def what_is_wrong(server: Target, canvas: Target) -> str | None:
    """Return why the canvas cannot be used until an operator repairs it; None if it can be used.

    A full or slow disk is no such fault, because the canvas can still be viewed. The text is public, and so it contains
    no details; these are in the log and the console.
    """
    health, status = await asyncio.gather(ask(server, GetHealth()), ask(canvas, GetStatus()))
    if isinstance(health, Health) and health.lost is not None:
        return "the database was deleted, moved or replaced"
    return "the canvas cannot be read" if isinstance(status, CanvasStatus) and status.error is not None else None


async def ask(target: Target, question: object) -> Any:
    """Call a process with a timeout of `PATIENCE`; return its answer, or a text that says why there is none.

    A process that waits for a full disk must not delay its health check.
    """
    try:
        return await call(target, question, timeout=PATIENCE)
    except CallExit as exit:
        return f"does not answer: {exit.reason}"
