"""What the console does to a running system, and the audit log of it."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors import GenServer, Ref, Shown, call, cast, down, shown, start, whereis
from actors.debug import find, info
from supervision import DynamicSupervisor, Restart, child, start_dynamic_child
from tests.support.console import Asker, console, logged_in, outcomes
from tests.support.instance import mended
from tests.support.raw_socket import RawSocket
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient


@shown("answered")
class Clerk(GenServer):
    """Answers calls with themselves."""

    def init(self) -> None:
        self.api_key = "hunter2"
        self.answered = 0

    def handle_call(self, request: Any, from_: Any) -> Any:
        self.answered += 1
        return request

    def handle_cast(self, request: Any) -> None:
        pass


def named(name: str) -> Ref:
    ref = whereis(name)
    assert isinstance(ref, Ref)
    return ref


@pytest.mark.parametrize(("how", "reason"), [("crash", "crash"), ("shutdown", "shutdown"), ("kill", "killed")])
def test_actor_exits_with_the_reason_that_is_asked_for(tmp_path: Path, how: str, reason: str) -> None:
    @live
    async def scenario() -> None:
        async with console(tmp_path) as ann:
            images = named("images")
            ended = down(images)
            done = await ann.ask("POST", f"actors/{images.id}/exit", {"reason": how})
            assert done == {"action": how, "ref": str(images.id), "label": "images", "detail": ""}
            assert await ended == reason
            await mended(ann.application)
            assert named("images") is not images
            assert named("images").restarts == 1

    scenario()


@live
async def test_crash_that_was_asked_for_is_among_the_crashes(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        images = named("images")
        await ann.ask("POST", f"actors/{images.id}/exit", {"reason": "crash"})
        await mended(ann.application)
        await ann.ask("POST", f"actors/{named('images').id}/exit", {"reason": "kill"})
        await mended(ann.application)
        page = await ann.get("crashes")
        assert [(row["ref"], row["reason"], row["asked_by"]) for row in page["crashes"]] == [
            (str(images.id), "crash", "console-token (administer) from 127.0.0.1")
        ]


@live
async def test_connections_tell_how_many_messages_wait_for_their_actors(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        for _ in range(2):
            await WebSocketClient.open(ann.application)
        (busy,) = [row["actor"] for row in (await ann.get("connections?q=user2"))["connections"]]
        ref = find(int(busy))
        assert ref is not None
        await ann.ask("POST", f"actors/{busy}/suspend")
        for number in range(3):
            cast(ref, number)
        page = await ann.get("connections?server=server&sort=mailbox&order=desc")
        first, second = page["connections"]
        assert (first["user"], second["user"], second["mailbox"]) == ("user2", "user1", 0)
        assert first["mailbox"] >= 3
        await ann.ask("POST", f"actors/{busy}/exit", {"reason": "kill"})


@live
async def test_actor_is_restarted_in_its_place(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        canvas = named("canvas")
        await ann.ask("POST", f"actors/{canvas.id}/restart")
        await mended(ann.application)
        assert named("canvas").restarts == 1


@live
async def test_actor_that_nobody_would_restart_is_not_ended_for_it(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        alone = await start(Clerk)
        supervisor = await start(DynamicSupervisor, child(Clerk, restart=Restart.TEMPORARY))
        temporary = await start_dynamic_child(supervisor)
        assert temporary is not None
        for ref in (alone, temporary):
            refused = await ann.ask("POST", f"actors/{ref.id}/restart", status=409)
            assert "no supervisor would restart it" in refused["error"]
            assert ref.is_alive()
        for ref in (alone, supervisor):
            await end(ann, ref)
        assert (await outcomes(ann.application))[0]["result"].startswith("refused: no supervisor would")


@live
async def test_root_and_what_is_above_it_cannot_be_ended(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        top = ann.application.top()
        for ref in (top.id, 1):
            for path, body in (("exit", {"reason": "kill"}), ("exit", {"reason": "shutdown"}),
                               ("exit", {"reason": "crash"}), ("restart", None), ("suspend", None)):  # fmt: skip
                await ann.ask("POST", f"actors/{ref}/{path}", body, status=403)
        assert top.is_alive()
        assert {entry["result"].partition(":")[0] for entry in await outcomes(ann.application)} == {"refused"}


@live
async def test_suspended_actor_waits_until_it_is_resumed(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        clerk = await start(Clerk)
        await ann.ask("POST", f"actors/{clerk.id}/suspend")
        answer = asyncio.ensure_future(call(clerk, "hello"))
        shown = await ann.get(f"actors/{clerk.id}")
        assert (shown["actor"]["state"], shown["actor"]["mailbox"]) == ("suspended", 1)
        await ann.ask("POST", f"actors/{clerk.id}/resume")
        assert await answer == "hello"
        await end(ann, clerk)


@live
async def test_console_cannot_suspend_what_it_runs_under(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        path = (await ann.get("actors?q=web&limit=1"))["actors"][0]
        refused = await ann.ask("POST", f"actors/{path['ref']}/suspend", status=403)
        assert "the console depends on this actor" in refused["error"]
        assert (await ann.get("overview"))["actors"] > 0


@live
async def test_state_is_shown_as_far_as_it_is_declared_safe(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        clerk = await start(Clerk)
        shown = await ann.ask("POST", f"actors/{clerk.id}/state")
        assert shown["state"] == {"api_key": "str(7)", "answered": "0"}
        assert (await outcomes(ann.application))[-1]["action"] == "get state"
        await end(ann, clerk)


@live
async def test_no_actor_shows_a_token_or_a_cookie(tmp_path: Path) -> None:
    async with console(tmp_path) as ann, await RawSocket.open(ann.port) as raw:
        pair = await logged_in(ann)
        cookie = pair.partition("=")[2]
        head = f"Host: localhost\r\nAuthorization: Bearer {ann.token}\r\nCookie: {pair}\r\n"
        raw.send(f"GET /api/v1/overview HTTP/1.1\r\n{head}\r\nGET /api/v1/overview HTTP/1.1\r\n{head}".encode())
        assert (await raw.answer()).status == 200
        actors = (await ann.get("actors"))["actors"]
        assert {"Listener", "Connection", "Canvas"} <= {actor["kind"] for actor in actors}
        for actor in actors:
            answer = await ann.send("POST", f"/api/v1/actors/{actor['ref']}/state")
            assert answer.status in (200, 404)
            for secret in (ann.token, ann.reader().token, cookie):
                assert secret is not None
                assert secret.encode() not in answer.body, actor


@live
async def test_trace_sees_messages_and_replies_and_ends_itself(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        clerk = await start(Clerk)
        begun = await ann.ask("POST", f"actors/{clerk.id}/trace", {"lines": 4, "seconds": 60})
        assert (begun["ended"], begun["lines"]) == (None, [])
        assert (await ann.get(f"actors/{clerk.id}"))["is_traced"]
        cast(clerk, "first")
        clerk.tell(Shown("second"))
        assert await call(clerk, ["third"]) == ["third"]
        cast(clerk, "too late")
        traced = await ann.get(f"actors/{clerk.id}/trace")
        assert [(line["kind"], line["text"]) for line in traced["lines"]] == [
            ("cast", "str(5)"), ("message", "'second'"), ("call", "list(1)"), ("reply", "list(1)"),
        ]  # fmt: skip
        assert traced["ended"] == "the line limit was reached"
        assert not (await ann.get(f"actors/{clerk.id}"))["is_traced"]
        await end(ann, clerk)


@live
async def test_trace_is_stopped(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        clerk = await start(Clerk)
        await ann.ask("GET", f"actors/{clerk.id}/trace", status=404)
        await ann.ask("POST", f"actors/{clerk.id}/trace")
        assert (await ann.ask("DELETE", f"actors/{clerk.id}/trace"))["ended"] == "it was stopped"
        await ann.ask("POST", f"actors/{clerk.id}/trace", {"lines": 1_001}, status=400)
        await ann.ask("POST", f"actors/{clerk.id}/trace", {"seconds": 61}, status=400)
        await ann.ask("POST", f"actors/{clerk.id}/trace", {"seconds": "long"}, status=400)
        await end(ann, clerk)


@live
async def test_client_is_disconnected(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        bob = await WebSocketClient.open(ann.application)
        (row,) = (await ann.get("connections?server=server"))["connections"]
        assert (row["user"], row["address"], row["state"]) == ("user1", "127.0.0.1", "open")
        assert row["bytes_out"] > row["bytes_in"] > 0
        assert (await ann.get(f"connections/{row['id']}"))["actor"] == row["actor"]
        await ann.ask("POST", f"connections/{row['id']}/disconnect")
        await bob.until(lambda: bob.closed is not None)
        assert bob.connection.close_code == 1008
        await ann.ask("POST", f"connections/{row['id']}/disconnect", status=404)


@live
async def test_drain_says_goodbye_to_all_and_the_console_goes_on(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        clients = [await WebSocketClient.open(ann.application) for _ in range(3)]
        await ann.ask("POST", "drain")
        for bob in clients:
            await bob.until(lambda bob=bob: bob.closed is not None)
            assert bob.connection.close_code == 1001
        assert (await ann.get("overview"))["is_draining"]


@live
async def test_log_level_is_the_applications(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        await ann.ask("POST", "log-level", {"level": "debug"}, status=501)
        levels: list[str] = []
        ann.application.console.extensions.set_log_level = levels.append
        await ann.ask("POST", "log-level", {"level": "debug"})
        bodies: list[Any] = [{"level": "loud"}, {}, {"level": 1}, [], {"level": "debug", "more": 1}]
        for body in bodies:
            await ann.ask("POST", "log-level", body, status=400)
        assert levels == ["debug"]


# The audit log.


@live
async def test_every_action_is_in_the_audit_log_with_who_and_on_whom(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        images = named("images")
        await ann.ask("POST", f"actors/{images.id}/exit", {"reason": "crash"})
        await ann.ask("POST", "drain")
        entries = await outcomes(ann.application)
        assert [(entry["action"], entry["target"], entry["result"]) for entry in entries] == [
            ("crash", f"<{images.id} images>", "done"), ("drain", "canopy", "done"),
        ]  # fmt: skip
        assert {entry["who"] for entry in entries} == {"console-token (administer) from 127.0.0.1"}
        assert entries[0]["at"].endswith("+00:00")
        assert stat.S_IMODE((tmp_path / "audit.log").stat().st_mode) == 0o600
        await mended(ann.application)


@live
async def test_audit_log_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        await ann.ask("POST", f"actors/{named('images').id}/exit", {"reason": "crash"})
        await mended(ann.application)
        (tmp_path / "audit.log").rename(tmp_path / "audit.log.1")
        await ann.ask("POST", "drain")
        assert [entry["action"] for entry in await outcomes(ann.application)] == ["drain"]
        assert stat.S_IMODE((tmp_path / "audit.log").stat().st_mode) == 0o600


@live
async def test_label_cannot_forge_a_line_of_the_audit_log(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        clerk = await start(Clerk)
        clerk.label = 'x"}\n{"at": "now", "who": "nobody"'
        await end(ann, clerk)
        other = await start(Clerk)
        other.label = "\udc80\u2028"
        await end(ann, other)
        first, second = await outcomes(ann.application)
        assert first["who"] == second["who"] == "console-token (administer) from 127.0.0.1"


@live
async def test_action_that_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        (tmp_path / "audit.log").mkdir()
        images = named("images")
        with capture_logs() as logs:
            refused = await ann.ask("POST", f"actors/{images.id}/exit", {"reason": "crash"}, status=503)
        assert "the audit log cannot be written" in refused["error"]
        assert images.is_alive()
        results = [line["result"] for line in logs if line["event"] == "console.action"]
        assert results == [f"failed: {refused['error']}"]


async def end(ann: Asker, ref: Ref) -> None:
    """End an actor that no supervisor ends."""
    ended = down(ref)
    await ann.ask("POST", f"actors/{ref.id}/exit", {"reason": "kill"})
    await ended
    assert info(ref) is None
