"""The admin socket: who runs, and a way to make an actor crash. For the owner of the data folder alone."""

import asyncio
import functools
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from actors import Ref, down, whereis
from supervision.console.terminal.client import AdminError, ask_admin
from tests.support.instance import connection_of, mended, new_application, running
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient

NODE = {"ref", "label", "kind", "state", "restarts", "mailbox", "children", "count"}


async def ask(data: Path, method: str, path: str, body: Any = None) -> Any:
    """Ask from a thread, as the command line asks from another process."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, functools.partial(ask_admin, data, method, path, body))


async def tree(data: Path) -> dict[str, Any]:
    top: dict[str, Any] = await ask(data, "GET", "/api/v1/tree")
    return top


async def crash(data: Path, ref: object) -> Any:
    return await ask(data, "POST", f"/api/v1/actors/{ref}/exit", {"reason": "crash"})


def nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    """A node and all below it."""
    return [node, *(each for child in node["children"] for each in nodes(child))]


@live
async def test_tree_shows_every_actor_where_it_stands(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        await WebSocketClient.open(application)
        top = await tree(tmp_path)
        assert (top["label"], top["kind"]) == ("canopy", "Supervisor")
        labels = [child["label"] for child in top["children"]]
        assert labels == [
            "registry", "store", "encoder", "broadcaster", "canvas", "server", "console", "on_demand"
        ]  # fmt: skip
        server = top["children"][5]
        assert [child["label"] for child in server["children"]] == ["connections", "listener", "drainer"]
        (visitor,) = server["children"][0]["children"]
        assert visitor["label"] == "user user1 #1"
        for node in nodes(top):
            assert set(node) == NODE
            assert node["ref"].isdigit()
            assert node["state"] in ("idle", "queued", "running", "waiting")
            assert (node["restarts"], node["mailbox"] >= 0) == (0, True)
        assert len({node["ref"] for node in nodes(top)}) == len(nodes(top))


@live
async def test_crashed_actor_is_replaced_and_its_restarts_are_counted(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        for restarts in (1, 2, 3):
            canvas = whereis("canvas")
            assert isinstance(canvas, Ref)
            ended = down(canvas)
            assert await crash(tmp_path, canvas.id) == {
                "action": "crash", "ref": str(canvas.id), "label": "canvas", "detail": "",
            }  # fmt: skip
            assert await ended == "crash"
            await mended(application)
            found = {node["label"]: node for node in nodes(await tree(tmp_path))}
            assert found["canvas"]["restarts"] == restarts
            assert found["canvas"]["ref"] != str(canvas.id)


@live
async def test_crash_of_a_visitor_is_not_noticed_by_it(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        ann = await WebSocketClient.open(application)
        await crash(tmp_path, connection_of(application, "user1").id)
        await ann.until(lambda: ann.screen.states == 2)
        assert ann.screen.user_id == "user1"


@live
async def test_any_actor_of_the_tree_can_be_crashed_but_the_root(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        await WebSocketClient.open(application)

        async def lasting() -> list[dict[str, Any]]:
            """All but the admin connection that asks."""
            return [node for node in nodes(await tree(tmp_path)) if not node["label"].startswith("connection ")]

        labels = [node["label"] for node in await lasting()]
        assert len(labels) > 12
        for position, label in enumerate(labels):
            all_nodes = await lasting()
            ref = [node["ref"] for node in all_nodes if node["label"] == label][labels[:position].count(label)]
            if position == 0:
                with pytest.raises(AdminError, match="the root of the tree cannot be ended"):
                    await crash(tmp_path, ref)
            else:
                assert (await crash(tmp_path, ref))["label"] == label
            await mended(application)


@pytest.mark.parametrize("ref", ["0", "999999", "-1", "canvas", "1.0", "²", "%31", "9" * 4_400, "", "1/2", ".."])
def test_unknown_actor_cannot_be_crashed(tmp_path: Path, ref: str) -> None:
    @live
    async def scenario() -> None:
        async with running(new_application(tmp_path)) as application:
            with pytest.raises(AdminError, match="there is no"):
                await crash(tmp_path, quote(ref, safe=""))
            await mended(application)
            assert all(node["restarts"] == 0 for node in nodes(await tree(tmp_path)))

    scenario()


@live
async def test_process_above_the_root_cannot_be_crashed(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)) as application:
        with pytest.raises(AdminError, match="the root of the tree cannot be ended"):
            await crash(tmp_path, 1)
        assert application.top().is_alive()


@live
async def test_wrong_method_or_path_is_refused(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)):
        for method, path, words in (
            ("POST", "/api/v1/tree", "only GET is allowed here"),
            ("GET", "/api/v1/actors/1/exit", "only POST is allowed here"),
            ("GET", "/", "there is no /"),
            ("GET", "/ws", "there is no /ws"),
        ):
            with pytest.raises(AdminError, match=words):
                await ask(tmp_path, method, path)


def test_no_instance_is_told_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(AdminError) as caught:
        ask_admin(tmp_path, "GET", "/api/v1/tree")
    assert str(tmp_path) in str(caught.value)
    assert "is it running" in str(caught.value)


@live
async def test_admin_socket_is_gone_after_the_stop(tmp_path: Path) -> None:
    async with running(new_application(tmp_path)):
        assert (tmp_path / "admin.sock").is_socket()
    assert not (tmp_path / "admin.sock").exists()
