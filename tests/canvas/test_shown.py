"""What the actors of the canvas and of the framework declare safe: it is there, so that their pages stay useful."""

from pathlib import Path

from actors import Scheduler
from actors.report import inspect_process
from actors.shown import declared_by
from canvas.visitor import Visitor
from tests.support.instance import simulation
from tests.support.scenarios import simulated


@simulated
async def test_all_that_the_actors_of_a_canvas_declare_safe_is_there_and_shown(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        await canvas.join()
        cells = list(Scheduler.current().processes.values())
        kinds = {type(cell.process).__name__ for cell in cells}
        assert {"Canvas", "Broadcaster", "Connection", "Encoder", "Supervisor", "Registry"} <= kinds
        for cell in cells:
            declared = declared_by(type(cell.process))
            shown = inspect_process(cell).state
            assert declared <= shown.keys(), cell
        (visitor,) = [cell for cell in cells if cell.ref.label.startswith("visitor")]
        assert "<Visitor " in inspect_process(visitor).state["_handler"].text
        assert "_user_id='user1'" in inspect_process(visitor).state["_handler"].text
        assert declared_by(Visitor) <= set(Visitor.__slots__)
