"""A disk that is full: painting is refused, viewing goes on, and everything recovers by itself. A real process."""

import resource
import sys
from pathlib import Path

import pytest

from tests.canvas.test_kill import open_client
from tests.support.killable import KillableCanvas
from tests.support.scenarios import live

RED, GREEN = "#FF0000", "#00FF00"

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits another process with prlimit")


def limit_files(canvas: KillableCanvas, size: int) -> None:
    """Let no file of that process grow beyond `size` bytes, as on a full disk."""
    resource.prlimit(canvas.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@live
async def test_full_disk_stops_painting_and_nothing_else(tmp_path: Path) -> None:
    canvas = KillableCanvas(tmp_path, width=32, height=16, rate_limit=None)
    ann = await open_client(canvas)
    ann.paint(1, 1, RED)
    await ann.until(lambda: ann.screen.pixels == {(1, 1): RED})

    limit_files(canvas, 0)
    for number in range(3):
        ann.paint(2 + number, 2, RED)
        error = await ann.error()
        assert error["code"] == "store_unavailable"
    bob = await open_client(canvas)
    assert bob.screen.pixels == {(1, 1): RED}
    assert bob.screen.seq == 1

    limit_files(canvas, resource.RLIM_INFINITY)
    bob.paint(3, 3, GREEN)
    for client in (ann, bob):
        await client.until(lambda screen=client.screen: screen.seq == 2)
        assert client.screen.pixels == {(1, 1): RED, (3, 3): GREEN}
    canvas.kill()
    for client in (ann, bob):
        await client.end()
    canvas.end()
