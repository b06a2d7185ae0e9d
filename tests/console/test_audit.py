"""The audit log: what is in it, that nothing waits for a disk, and that no flood fills it."""

import asyncio
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import KILL, NO_REPLY, GenServer, Ref, send_exit, start, watch, whereis
from actors.debug import find
from protocol import HttpError
from supervision.console.api import audit as module
from supervision.console.api.audit import (
    BEGUN,
    MAX_SINGLE,
    MAX_WAITING,
    WINDOW,
    Audit,
    AuditLine,
    AuditWriter,
    FloodFilter,
    append,
)
from supervision.console.api.principals import FREE_FAILURES, Access
from tests.support.console import Asker, audit, console, log_in, logged_in, outcomes, read_audit
from tests.support.instance import find_child, mended
from tests.support.scenarios import live, simulated


async def results(ann: Asker) -> list[tuple[str, str]]:
    lines = await audit(ann.application)
    return [(line["action"], line["result"].partition(":")[0]) for line in lines if line["action"] != "login"]


async def writer_of(ann: Asker) -> Ref:
    (row,) = (await ann.get("actors?kind=AuditWriter"))["actors"]
    ref = find(int(row["ref"]))
    assert ref is not None
    return ref


class Mute(GenServer):
    """Takes calls and never answers."""

    def handle_call(self, request: Any, from_: Any) -> Any:
        return NO_REPLY


@live
async def test_action_is_noted_before_it_is_done_and_after_it_with_what_came_of_it(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        images = whereis("images")
        assert isinstance(images, Ref)
        await ann.ask("POST", f"actors/{images.id}/exit", {"reason": "crash"})
        assert await results(ann) == [("crash", BEGUN), ("crash", "done")]
        await mended(ann.application)


@live
async def test_what_fails_or_is_refused_is_never_noted_as_done(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:

        def fail(level: str) -> None:
            raise HttpError(503, "not now")

        ann.application.console.extensions.set_log_level = fail
        await ann.ask("POST", "log-level", {"level": "info"}, status=503)
        assert await results(ann) == [("set log level", BEGUN), ("set log level", "failed")]
        (tmp_path / "bans.json").mkdir()
        await ann.ask("POST", "bans?whom=192.0.2.9", status=503)
        assert (await results(ann))[2:] == [("ban", BEGUN), ("ban", "failed")]
        await ann.ask("DELETE", "bans?whom=192.0.2.9", status=404)
        await ann.ask("POST", "actors/999999/exit", {"reason": "crash"}, status=404)
        await ann.ask("POST", "log-level", {"level": "loud"}, status=400)
        await ann.reader().ask("POST", "bans?whom=192.0.2.9", status=403)
        assert (await results(ann))[4:] == [
            ("DELETE /api/v1/bans", "refused"), ("POST /api/v1/actors/999999/exit", "refused"),
            ("POST /api/v1/log-level", "refused"), ("POST /api/v1/bans", "refused"),
        ]  # fmt: skip
        assert not [line for line in await audit(ann.application) if line["result"] == "done"]


@live
async def test_refusal_repeats_only_the_beginning_of_what_was_asked(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        errors = [
            await ann.ask("POST", "log-level", {"k" * 50_000: 1}, status=400),
            await ann.ask("POST", "log-level", {"level": "k" * 50_000}, status=400),
            await ann.ask("POST", f"drain?{'k' * 5_000}=1", status=400),
        ]
        assert all(len(error["error"]) < 300 for error in errors)
        assert all(len(line["result"]) < 300 for line in await audit(ann.application))


@live
async def test_route_that_crashes_is_noted(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:

        def crash(level: str) -> None:
            raise RuntimeError(level)

        ann.application.console.extensions.set_log_level = crash
        assert (await ann.send("POST", "/api/v1/log-level", b'{"level": "info"}')).status == 500
        assert await results(ann) == [("set log level", BEGUN), ("set log level", "ended by RuntimeError")]


@live
async def test_action_that_ends_who_asks_is_noted(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        connections = find_child("web", "connections")
        assert (await ann.send("POST", f"/api/v1/actors/{connections.id}/exit", b'{"reason": "kill"}')).status == 200
        await mended(ann.application)
        assert await results(ann) == [("kill", BEGUN), ("kill", "done")]


@live
async def test_logins_are_noted_with_who_and_failed_ones_with_from_where(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        await logged_in(ann)
        assert (await log_in(ann, "wrong")).status == 401
        lines = [(line["who"], line["result"]) for line in await audit(ann.application) if line["action"] == "login"]
        assert lines == [
            ("console-token (administer) from 127.0.0.1", "done"),
            ("anonymous from 127.0.0.1", "refused: the token is wrong"),
        ]


@live
async def test_flood_of_failed_logins_and_refusals_is_a_bounded_number_of_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervision.console.web.routes.DELAY", 0.0)
    async with console(tmp_path) as ann:
        mallory, reader = Asker(ann.application, "x" * 43), ann.reader()
        for _ in range(5 * MAX_SINGLE):
            assert (await mallory.send("GET", "/metrics")).status in (401, 429)
            await reader.ask("POST", "drain", status=403)
    lines = read_audit(tmp_path)
    assert len([line for line in lines if line["action"] == "login"]) == FREE_FAILURES + MAX_SINGLE + 1
    assert len([line for line in lines if "drain" in line["action"]]) == MAX_SINGLE + 1
    sums = {line["action"]: line["result"].partition("; ")[2] for line in lines[-2:]}
    assert sums == {
        "login": f"{5 * MAX_SINGLE - FREE_FAILURES - MAX_SINGLE} such attempts",
        "POST /api/v1/drain": f"{4 * MAX_SINGLE} such attempts",
    }


TEXTS = st.text() | st.sampled_from(["\x85", "\u2028", "\u202e", "\x9b31m", "\U000e0001"])


@given(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS))
def test_line_is_one_whatever_is_in_it_and_harmless_on_a_terminal(texts: tuple[str, str, str, str]) -> None:
    line = AuditLine(0.0, *texts).encode().decode()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert tuple(orjson.loads(line).values())[1:] == texts


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=9), st.integers(0, 9)), max_size=9))
def test_line_that_was_cut_off_spoils_no_other(lines: list[tuple[bytes, int]]) -> None:
    whole = [b"<" + bytes(text).replace(b"\n", b"") + b">\n" for text, _ in lines]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.log"
        for line, (_, cut) in zip(whole, lines, strict=True):
            append(path, line)
            if cut:  # a full disk has taken a part of the next line
                with path.open("ab") as file:
                    file.write((b"half of another")[:cut])
        kept = path.read_bytes().split(b"\n") if lines else []
    assert [line + b"\n" for line in kept if line.startswith(b"<")] == whole


@live
async def test_lines_that_nobody_sent_leave_as_much_room_for_those_that_wait(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        book = ann.application.console._audit
        for _ in range(3):
            writer = await writer_of(ann)
            gone = asyncio.get_running_loop().create_future()
            watch(writer, lambda *reason, gone=gone: gone.set_result(reason))
            send_exit(writer, KILL)
            await gone
            for _ in range(5):  # they wait for the next writer, which nobody has sent them to
                book.end("somebody", "a test", "", "done")
            await mended(ann.application)
            await book.begin("somebody", "a test", "")
            assert book._sent == book._handled


@given(st.lists(st.sampled_from("abc"), max_size=100))
def test_floods_count_what_they_do_not_let_through(kinds: list[str]) -> None:
    floods = FloodFilter()
    line = AuditLine(0.0, "somebody", "login", "", "refused")
    single = [kind for kind in kinds if floods.permits(kind, line)]
    summed = floods.end(1.0)
    for kind in "abc":
        assert single.count(kind) == min(MAX_SINGLE, kinds.count(kind))
    counts = sorted(kinds.count(kind) - MAX_SINGLE for kind in "abc" if kinds.count(kind) > MAX_SINGLE)
    assert sorted(int(each.result.split("; ")[1].split()[0]) if "; " in each.result else 1 for each in summed) == counts
    assert floods.is_over
    assert floods.end(2.0) == []


@simulated
async def test_sum_of_a_flood_is_written_at_the_end_of_its_window(tmp_path: Path) -> None:
    log = Audit(tmp_path / "audit.log", lambda: 0.0)
    writer = await start(AuditWriter, log)
    (tmp_path / "audit.log").unlink(missing_ok=True)
    for _ in range(MAX_SINGLE + 3):
        log.count("somebody", "login", "refused")
    await asyncio.sleep(WINDOW / 2)
    assert len(read_audit(tmp_path)) == MAX_SINGLE
    await asyncio.sleep(WINDOW)
    assert [line["result"] for line in read_audit(tmp_path)[MAX_SINGLE:]] == ["refused; 3 such attempts"]
    log.count("somebody", "login", "refused")
    await asyncio.sleep(1.0)
    assert len(read_audit(tmp_path)) == MAX_SINGLE + 2
    writer.stop(block=False)


@simulated
async def test_action_whose_line_takes_too_long_is_not_done(tmp_path: Path) -> None:
    log = Audit(tmp_path / "audit.log", lambda: 0.0)
    log.writer = await start(Mute)
    waiting = [asyncio.ensure_future(log.begin("ann", "drain", str(number))) for number in range(MAX_WAITING + 10)]
    for each in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(each, HttpError)
        assert each.status == 503
    assert log._sent == MAX_WAITING, "what waits for a slow disk is bounded"
    log.writer.stop(block=False)


@live
async def test_nobody_waits_for_a_slow_disk_but_those_who_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with console(tmp_path) as ann:
        is_asked, is_over, append = threading.Event(), threading.Event(), module.append

        def wait(path: Path, line: bytes) -> None:
            is_asked.set()
            is_over.wait(30.0)
            append(path, line)

        monkeypatch.setattr(module, "append", wait)
        drain = asyncio.ensure_future(ann.ask("POST", "drain"))
        await asyncio.to_thread(is_asked.wait, 30.0)
        assert (await ann.get("overview"))["is_draining"] is False
        is_over.set()
        await drain
        assert (await ann.get("overview"))["is_draining"] is True


def make_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def make_folder(path: Path) -> None:
    path.mkdir()


def link(path: Path) -> None:
    path.with_name("elsewhere").touch()
    path.symlink_to(path.with_name("elsewhere"))


def write_by_others(path: Path) -> None:
    path.touch()
    path.chmod(0o666)


def give_away(path: Path) -> None:
    path.touch()
    os.chown(path, os.geteuid() + 1, -1)


@pytest.mark.parametrize("spoil", [make_pipe, make_folder, link, write_by_others, give_away])
def test_action_is_not_done_while_the_log_cannot_be_trusted(tmp_path: Path, spoil: Any) -> None:
    @live
    async def scenario() -> None:
        async with console(tmp_path) as ann:
            path = tmp_path / "audit.log"
            path.unlink(missing_ok=True)
            spoil(path)
            refused = await ann.ask("POST", "drain", status=503)
            assert refused["error"].startswith("nothing was done, because the audit log cannot be written: ")
            assert not ann.application.sockets.is_draining
            path.rename(tmp_path / "aside")
            await ann.ask("POST", "drain")
            assert (await outcomes(ann.application))[-1]["result"] == "done"

    if spoil is give_away and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    scenario()


@live
async def test_writer_that_crashes_comes_back_and_cannot_be_suspended(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        writer = await writer_of(ann)
        refused = await ann.ask("POST", f"actors/{writer.id}/suspend", status=403)
        assert "the console depends on this actor" in refused["error"]
        await ann.ask("POST", f"actors/{writer.id}/exit", {"reason": "crash"})
        await mended(ann.application)
        assert await writer_of(ann) is not writer
        await ann.holder("bob", Access.MODERATE).ask("POST", "bans?whom=192.0.2.1")
        assert (await results(ann))[1:] == [("crash", BEGUN), ("crash", "done"), ("ban", BEGUN), ("ban", "done")]
