"""`canopy load` paints and counts what goes wrong; `canopy chaos` crashes actors meanwhile, and nothing does."""

import asyncio
import random
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from actors.debug import processes
from canvas.cli import load
from canvas.cli.chaos import crash_at_random
from canvas.cli.commands import app
from canvas.cli.load import Painter, Report, paint
from canvas.store import MemoryStore, StoreError
from supervision.console.terminal.client import AdminError
from tests.support.instance import new_application, running
from tests.support.scenarios import live


def url_of(application: Any) -> str:
    return f"ws://127.0.0.1:{application.sockets.port}/ws"


@live
async def test_nothing_goes_wrong_while_actors_crash(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        crashing = asyncio.create_task(asyncio.to_thread(crash_at_random, tmp_path, 20.0, 1.5, random.Random(1)))
        report = await paint(url_of(application), clients=5, seconds=1.5, rate=50.0)
        crashed = await crashing
    assert report.is_good, list(report.lines())
    assert report.acknowledged == report.painted > 20
    assert crashed.crashes.total() > 3
    assert "0 disconnects" in list(report.lines())
    assert any(re.search(r"\d actors crashed in \d+\.\d s", line) for line in crashed.lines())


@live
async def test_refused_pixels_are_painted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append, tries = MemoryStore.append, iter(range(1_000))

    def fail_at_first(store: MemoryStore, changes: Any, at: float) -> None:
        if next(tries) < 3:
            raise StoreError("no space left on device")
        append(store, changes, at)

    monkeypatch.setattr(MemoryStore, "append", fail_at_first)
    monkeypatch.setattr(load, "RETRY_AFTER", 0.01)
    async with running(new_application(tmp_path)) as application:
        report = await paint(url_of(application), clients=2, seconds=0.3, rate=50.0)
    assert report.is_good
    assert report.refused > 0


@live
async def test_disconnect_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    application = new_application(tmp_path)
    append, tries = MemoryStore.append, iter(range(1_000))

    def tear_a_wire_once(store: MemoryStore, changes: Any, at: float) -> None:
        append(store, changes, at)
        if next(tries) == 3:
            next(iter(application.sockets.wires.values())).abort()

    monkeypatch.setattr(MemoryStore, "append", tear_a_wire_once)
    async with running(application):
        report = await paint(url_of(application), clients=2, seconds=0.5, rate=50.0)
    assert report.disconnects == 1
    assert not report.is_good


@live
async def test_lost_pixel_and_another_canvas_are_counted(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        report = Report()
        painter = Painter(report)
        await painter.connect(url_of(application))
        painter.paint((1, 2), "#010203")
        await painter.wait_for_answers()
        painter.kept[3, 4] = "#040506"
        painter.pixels[3, 4] = "#040506"
        await load._compare(url_of(application), [painter], report)
        await painter.leave()
    assert (report.lost, report.divergent, report.unanswered, report.disconnects) == (1, 1, 0, 0)
    assert not report.is_good


@live
async def test_chaos_spares_an_actor_that_has_crashed_often(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)):
        report = await asyncio.to_thread(crash_at_random, tmp_path, 200.0, 1.0, random.Random(1))
        assert report.crashes.total() < 100
        assert any(process.label == "canopy" for process in processes())


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(AdminError, match="no canopy answers"):
        crash_at_random(tmp_path, 1.0, 0.1, random.Random(1))
    result = CliRunner().invoke(app, ["load", "ws://127.0.0.1:1/ws", "--seconds", "0.1"])
    assert result.exit_code == 1
    assert "ws://127.0.0.1:1/ws does not answer" in result.output
    result = CliRunner().invoke(app, ["chaos", "--data", str(tmp_path), "--seconds", "0.1"])
    assert result.exit_code == 1
