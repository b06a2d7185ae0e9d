"""A start takes as long as it takes, and what has ended is let go of."""

import asyncio
import gc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from actors import SHUTDOWN, Call, ExitReason, GenServer, Ref, call, start
from canvas.application import CanvasApplication
from canvas.board.grid import Grid
from canvas.cli.serve import _run
from canvas.config import Config
from canvas.live.accepted import Accepted
from canvas.live.canvas import Canvas, CanvasStatus, GetStatus
from canvas.live.held import Meter
from canvas.store import Loaded
from tests.support.instance import SMALL
from tests.support.scenarios import live, simulated


class SlowStore(GenServer):
    """Takes an hour to load the canvas; whatever it is told it ignores."""

    async def handle_call(self, request: Any, from_: Call) -> Any:
        await asyncio.sleep(3_600)
        return Loaded("an epoch", Grid(10, 10), ())

    def handle_cast(self, request: Any) -> None:
        pass


@simulated
async def test_canvas_waits_as_long_as_its_store_takes_to_load() -> None:
    store = await start(SlowStore)
    room = SimpleNamespace(broadcaster=store, accepted=Accepted(), held=SimpleNamespace(pixels=Meter("pixels", 1)))
    canvas = await start(Canvas, room, store, store, 0.01, lambda: 0.0)
    assert await call(canvas, GetStatus()) == CanvasStatus("an epoch", 0, 0, None)


class Freezing(CanvasApplication):
    """Notes what the garbage collector leaves alone when the tree starts, and when it has started; then it ends."""

    async def start(self) -> Ref:
        self.frozen = [gc.get_freeze_count()]
        return await super().start()

    async def run_until_signal(self) -> ExitReason:
        self.frozen.append(gc.get_freeze_count())
        await self.stop()
        return SHUTDOWN


def test_no_process_is_kept_from_the_garbage_collector(tmp_path: Path) -> None:
    @live
    async def scenario() -> None:
        application = Freezing(Config(data=tmp_path, **SMALL))
        frozen = gc.get_freeze_count()
        try:
            await _run(application)
            before, after = application.frozen
            assert before >= after > frozen
        finally:
            application.close()
            gc.unfreeze()
            gc.collect()
            gc.freeze()  # as it is for all tests

    scenario()
