"""A store that cannot be read for a while costs nobody but those who ask for what it holds. In virtual time."""

from pathlib import Path
from typing import Any

import pytest

from actors import call, cast, whereis
from actors.debug import force_exit
from actors.testing import quiet, settle
from canvas.board.area import Area
from canvas.board.grid import Change
from canvas.history.historian import AskPixelHistory, AskRollbackPlan, Historian, PixelHistory
from canvas.live.canvas import LOAD_AGAIN, GetPicture, GetStatus, Paint, Restore
from canvas.store import LookForSnapshot, StoreError, UnusableStore
from canvas.web.images import Images
from supervision import which_children
from tests.support.failing_store import FailingStore
from tests.support.instance import Simulation, mended, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import VirtualClient

RED, GREEN = "#FF0000", "#00FF00"
ERRORS = (StoreError("unable to open database file"), UnusableStore("canvas.db cannot be opened: disk I/O error"))
QUESTIONS = (AskPixelHistory(1, 1, 9), AskRollbackPlan(None, Area(0, 0, 9, 9), None, None))


class UnreadableStore(FailingStore):
    """A memory store that can be read while `error` is None, and takes changes all the time."""

    def since(self, seq: int) -> list[Change] | None:
        self.fail()
        return super().since(seq)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> UnreadableStore:
    """The store of the application that the test starts."""
    store = UnreadableStore()
    monkeypatch.setattr("canvas.application.open_store", lambda config: store)
    return store


async def tree(canvas: Simulation) -> list[Any]:
    """Who is where: the children of the top supervisor, and of that of the history and the images."""
    top = await which_children(canvas.application.top())
    (on_demand,) = (child.ref for child in top if child.id == "on_demand")
    return [*top, *(await which_children(on_demand))]  # type: ignore[arg-type]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@simulated
async def test_question_to_a_past_that_cannot_be_read_is_answered_and_restarts_nothing(
    tmp_path: Path, store: UnreadableStore, error: StoreError
) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        ann.paint(1, 1, RED)
        await ann.until(lambda: ann.screen.seq == 1)
        before = await tree(canvas)
        store.error = error
        for question in QUESTIONS:
            assert await call("history", question) is error
        cast("history", LookForSnapshot())
        await quiet()
        ann.paint(2, 1, GREEN)
        await ann.until(lambda: ann.screen.pixels == {(1, 1): RED, (2, 1): GREEN})
        store.error = None
        past = await call("history", QUESTIONS[0])
        assert isinstance(past, PixelHistory)
        assert [change.seq for change in past.changes] == [1]
        assert await tree(canvas) == before
        assert ann.closed is None


@pytest.mark.parametrize("victim", ["store", "broadcaster", "canvas"])
@simulated
async def test_crash_while_the_canvas_cannot_be_read_is_one_restart_and_costs_no_connection(
    tmp_path: Path, store: UnreadableStore, victim: str
) -> None:
    error = ERRORS[1]
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        ann.paint(1, 1, RED)
        await ann.until(lambda: ann.screen.seq == 1)
        store.error = error
        force_exit(whereis(victim), "crash")  # type: ignore[arg-type]
        await mended(canvas.application)
        before = await tree(canvas)
        await settle(60.0)
        assert await tree(canvas) == before

        cast("canvas", Paint([Change(2, 1, 0x00FF00, "ann")]))  # refused: nothing follows on what cannot be read
        assert await call("canvas", GetPicture()) is error
        assert await call("canvas", Restore([Change(1, 1, 0, "ann")], [0xFF0000])) is error
        assert (await call("canvas", GetStatus())).error == str(error)

        store.error = None
        await settle(2 * LOAD_AGAIN)
        bob = await canvas.join()
        bob.paint(3, 1, GREEN)
        for client in (ann, bob):
            await client.until(lambda screen=client.screen: screen.pixels == {(1, 1): RED, (3, 1): GREEN})
        assert (await call("canvas", GetPicture())).grid.seq == 2
        assert ann.closed is None


@pytest.mark.parametrize("query", ["/ws", "/ws?epoch=an epoch&seq=1"], ids=["new", "back"])
@pytest.mark.parametrize("victim", ["canvas", "broadcaster"])
@simulated
async def test_viewers_who_joined_while_the_canvas_could_not_be_read_see_what_was_committed_meanwhile(
    tmp_path: Path, store: UnreadableStore, victim: str, query: str
) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        ann.paint(1, 1, RED)
        await ann.until(lambda: ann.screen.seq == 1)
        store.error = ERRORS[0]
        force_exit(whereis(victim), "crash")  # type: ignore[arg-type]
        await mended(canvas.application)
        bob = VirtualClient()
        bob.screen.epoch, bob.screen.seq, bob.screen.pixels = "an epoch", 1, {(1, 1): RED}
        bob.begin(canvas.door, query.replace(" ", "%20"))
        await settle(0.1)
        store.append([Change(3, 1, 0x00FF00, "ann", 2)], 1.0)  # the canvas crashed before it could show it
        store.error = None
        await settle(2 * LOAD_AGAIN)
        for client in (ann, bob):
            await client.until(lambda: True)  # raises what broke a promise
            assert client.screen.seq == 2
            assert client.screen.pixels == {(1, 1): RED, (3, 1): GREEN}


@pytest.mark.parametrize("victim", [Historian, Images])
@simulated
async def test_what_answers_questions_may_crash_without_end_and_restarts_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: type[Any]
) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        others = [child for child in await which_children(canvas.application.top()) if child.id != "on_demand"]
        starts = 0

        def fail(self: Any, *args: Any) -> None:
            nonlocal starts
            starts += 1
            raise RuntimeError("it never works again")

        with monkeypatch.context() as broken:
            broken.setattr(victim, "init", fail)
            force_exit(whereis("history" if victim is Historian else "images"), "crash")  # type: ignore[arg-type]
            await settle(600.0)
            assert 50 <= starts <= 50 + 600 // 15 + 10
        ann.paint(1, 1, RED)
        await ann.until(lambda: ann.screen.pixels == {(1, 1): RED})
        assert others == [child for child in await which_children(canvas.application.top()) if child.id != "on_demand"]
        assert ann.closed is None
        await settle(30.0)
        await mended(canvas.application)
        assert isinstance(await call("history", QUESTIONS[0]), PixelHistory)
