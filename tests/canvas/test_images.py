"""Pictures of the canvas: what is in the file, and that nobody's picture is encoded twice."""

import asyncio
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from actors import CallExit, call, start
from actors.debug import resume, suspend
from actors.testing import quiet, settle
from canvas.board import png
from canvas.board.grid import Grid
from canvas.live.canvas import Picture
from canvas.live.held import Meter
from canvas.web.images import MAX_KEPT, EncodePng, Images, Png
from tests.support.instance import new_application, running
from tests.support.raw_socket import get
from tests.support.scenarios import live, simulated


def painted(width: int, height: int, pixels: int, colors: int, seed: int) -> Grid:
    """A canvas with so many pixels in so many colours; some of its tiles stay empty."""
    chance = np.random.default_rng(seed)
    grid = Grid(width, height, 0x123456)
    xs, ys = chance.integers(0, width, pixels), chance.integers(0, height, pixels)
    grid.apply_columns(xs, ys, (chance.integers(0, colors, pixels) * 0x0A0B0D % (1 << 24)).astype(np.uint32))
    return grid


@settings(max_examples=50)
@given(
    width=st.integers(1, 600),
    height=st.integers(1, 600),
    step=st.integers(1, 100),
    pixels=st.integers(0, 2_000),
    colors=st.sampled_from([1, 255, 256, 257, 1_000]),
    seed=st.integers(0, 99),
)
def test_picture_has_every_nth_pixel(width: int, height: int, step: int, pixels: int, colors: int, seed: int) -> None:
    grid = painted(width, height, pixels, colors, seed)
    image = Image.open(io.BytesIO(png.encode(grid, step)))
    image.load()  # checks the checksums
    expected = grid.colors[::step, ::step]
    assert image.size == expected.shape[::-1]
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(int), 2, 0)
    assert (red << 16 | green << 8 | blue == expected).all()


def at(seq: int, epoch: str = "an epoch") -> Picture:
    """A canvas after so many changes."""
    grid = Grid(9, 7)
    grid.seq = seq
    return Picture(epoch, grid)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What was encoded: the number of the last change, and the step. All contents are ten bytes long."""
    done: list[tuple[int, int]] = []

    def encode(grid: Grid, step: int) -> bytes:
        done.append((grid.seq, step))
        return b"%5d%5d" % done[-1]

    monkeypatch.setattr(png, "encode", encode)
    return done


async def ask(seq: int, step: int = 1, timeout: float = 30.0) -> tuple[int, bytes]:
    answer: Png = await call("images", EncodePng(at(seq), step), timeout=timeout)
    assert answer.epoch == "an epoch"
    return answer.seq, answer.content


@simulated
async def test_all_who_ask_while_a_picture_is_made_share_the_next(encoded: list[tuple[int, int]]) -> None:
    await start(Images, Meter("pictures", MAX_KEPT), name="images")
    suspend("images")
    asked = [asyncio.ensure_future(ask(seq, step)) for seq, step in ((1, 1), (1, 2), (3, 1), (2, 1), (4, 2))]
    await quiet()
    resume("images")
    assert [seq for seq, _ in await asyncio.gather(*asked)] == [3, 4, 3, 3, 4]
    assert encoded == [(3, 1), (4, 2)]
    assert await ask(3) == (3, b"    3    1")
    assert await ask(5) == (5, b"    5    1")
    assert encoded == [(3, 1), (4, 2), (5, 1)]


@simulated
async def test_picture_of_one_epoch_is_no_answer_to_who_asks_for_another(encoded: list[tuple[int, int]]) -> None:
    await start(Images, Meter("pictures", MAX_KEPT), name="images")
    suspend("images")
    wanted = [("old", 7), ("new", 1), ("old", 8), ("new", 2), ("new", 1)]
    asked = [asyncio.ensure_future(call("images", EncodePng(at(seq, epoch)))) for epoch, seq in wanted]
    await quiet()
    resume("images")
    answers = [(png.epoch, png.seq) for png in await asyncio.gather(*asked)]
    assert answers == [("old", 8), ("new", 2), ("old", 8), ("new", 2), ("new", 2)]
    assert encoded == [(8, 1), (2, 1)]


@simulated
async def test_no_picture_is_made_for_those_who_have_left(encoded: list[tuple[int, int]]) -> None:
    await start(Images, Meter("pictures", MAX_KEPT), name="images")
    suspend("images")
    timed_out = asyncio.ensure_future(ask(1, timeout=1.0))
    gone = asyncio.ensure_future(ask(2))
    patient = asyncio.ensure_future(ask(1, step=2))
    await settle(2.0)
    gone.cancel()
    await quiet()
    resume("images")
    assert await patient == (1, b"    1    2")
    with pytest.raises(CallExit):
        await timed_out
    assert encoded == [(1, 2)]
    assert await ask(1) == (1, b"    1    1")


@simulated
async def test_no_more_pictures_are_kept_than_there_is_room_for(
    encoded: list[tuple[int, int]],
) -> None:
    meter = Meter("pictures", 20)
    await start(Images, meter, name="images")
    for step in (1, 2, 1, 3, 2, 3, 1):
        await ask(1, step)
        assert meter.used <= 20
    assert encoded == [(1, 1), (1, 2), (1, 3), (1, 1)]
    meter.most = 9
    for _ in range(2):
        await ask(2)
    assert encoded[4:] == [(2, 1), (2, 1)]


@live
async def test_client_that_has_the_picture_needs_no_encoding(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        port: Any = application.sockets.port
        first = await get(port, "/api/canvas.png?every=3")
        suspend("images")
        again = await get(port, "/api/canvas.png?every=3", If_None_Match=first.headers["etag"])
        assert (again.status, again.headers["etag"], again.body) == (304, first.headers["etag"], b"")
        resume("images")


@live
async def test_step_that_is_none_is_refused(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        for text in ("0", "101", "00501", "0x1", "-1", "1.5", "%D9%A3"):
            answer = await get(application.sockets.port, f"/api/canvas.png?every={text}")
            assert (answer.status, answer.body) == (400, b"every must be an integer from 1 to 100\n")
