"""The examples of the guides do what the pages say."""

from pathlib import Path

import pytest

from actors import Ref, call, cast, start, whereis
from actors.testing import kill, replaced, settle
from supervision import Application, Supervisor, child, which_children
from tests.docs.pages import ROOT, blocks, module
from tests.support.scenarios import live, simulated


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "guides").glob("*.md")), ids=lambda page: page.stem)
def test_the_code_of_a_guide_runs(page: Path) -> None:
    if blocks(str(page)):
        module(str(page), page.stem.replace("-", "_"))


@simulated
async def test_a_ledger_and_a_checkpoint_survive_a_crash() -> None:
    guide = module("docs/guides/surviving-crashes.md", "surviving_crashes")
    ledger = guide.Ledger()
    children = [child(guide.Cashier, ledger, name="cashier"), child(guide.Counter, name="counter")]
    await start(Supervisor, children, intensity=2)
    for name in ("cashier", "counter"):
        cast(name, 5)
        first = whereis(name)
        assert first is not None
        await call("counter", "read")
        await kill(first)
        await replaced(lambda name=name: whereis(name), first)  # type: ignore[misc]
    cast("cashier", 2)
    assert await call("counter", "read") == 5
    assert ledger.total == 7


@simulated
async def test_a_room_is_opened_on_demand_and_restarted_with_its_arguments() -> None:
    guide = module("docs/guides/actors-on-demand.md", "actors_on_demand")
    await Application(guide.tree).start()
    room = await guide.open_room("lobby")
    assert await call(room, "read the sign") == "Welcome to the lobby"
    await kill(room)
    await settle(1)
    (info,) = await which_children("rooms")
    assert isinstance(info.ref, Ref)
    assert info.ref != room
    assert await call(info.ref, "read the sign") == "Welcome to the lobby"


@live
async def test_all_three_ways_to_wait_answer() -> None:
    guide = module("docs/guides/blocking-work.md", "blocking_work")
    assert await call(await start(guide.Poller), 0.0) == "done"
    assert len(await call(await start(guide.Hasher), b"secret")) == 128
    assert await call(await start(guide.Reader), 7) == "page 7"
