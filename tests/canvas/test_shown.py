"""What the actors of the canvas and of the framework declare safe: it is there, so that their pages stay useful."""

from pathlib import Path

from actors.debug import inspect, process_table
from actors.shown import declared_by
from canvas.live.handler import CanvasHandler
from tests.support.instance import simulation
from tests.support.scenarios import simulated


@simulated
async def test_all_that_the_actors_of_a_canvas_declare_safe_is_there_and_shown(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        await canvas.join()
        refs = [process.ref for process in process_table().values()]
        kinds = {ref.actor_class.__name__ for ref in refs}
        assert {"Canvas", "Broadcaster", "Connection", "SnapshotEncoder", "Supervisor", "Registry"} <= kinds
        for ref in refs:
            seen = inspect(ref)
            assert seen is not None
            assert declared_by(ref.actor_class) <= seen.state.keys(), ref
        (connection,) = [ref for ref in refs if ref.label.startswith("user ")]
        seen = inspect(connection)
        assert seen is not None
        assert "<CanvasHandler " in seen.state["_handler"].text
        assert "_user_id='user1'" in seen.state["_handler"].text
        assert declared_by(CanvasHandler) <= set(CanvasHandler.__slots__)
