"""Whatever a process of the canvas is told that it does not know stands in the log and harms nothing."""

from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from actors import Ref, send
from actors.testing import quiet
from supervision import ChildType, which_children
from tests.support.instance import connection_of, simulation
from tests.support.scenarios import simulated


class Strange:
    """What nobody knows."""


async def processes(supervisor: Any) -> list[Ref]:
    """All that run below a supervisor, and it."""
    found = [supervisor]
    for child in await which_children(supervisor):
        if isinstance(child.ref, Ref):
            found += await processes(child.ref) if child.type is ChildType.SUPERVISOR else [child.ref]
    return found


@simulated
async def test_message_that_a_process_does_not_know_is_logged_and_harms_nothing(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = await canvas.join()
        before = [*await processes(canvas.application.top()), connection_of(canvas.application, ann.screen.user_id)]
        for ref in before:
            with capture_logs() as logs:
                send(ref, Strange())
                await quiet()
            assert [log["event"].partition(".")[2] for log in logs] == ["unexpected_message"], ref
        ann.paint(1, 1, "#FF0000")
        await ann.until(lambda: ann.screen.pixels == {(1, 1): "#FF0000"})
        after = [*await processes(canvas.application.top()), connection_of(canvas.application, ann.screen.user_id)]
        assert after == before
