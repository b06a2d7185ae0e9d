"""What a crash report says, and what it does not."""

import asyncio
import gc
import weakref
from dataclasses import replace
from typing import Any

from actors import GenServer, Inspection, Scheduler, Shown, Stop, cast, debug, down, shown, start
from actors.kernel.report import KEPT
from actors.testing import kill, quiet
from supervision import Supervisor, child
from tests.support.scenarios import simulated


class Owned:
    """What dies with its owner."""


@shown("opened")
class Vault(GenServer):
    def init(self, diary: str = "hunter2") -> None:
        self.diary = diary
        self.opened = 0

    def handle_cast(self, request: Any) -> Any:
        if isinstance(request, Stop):
            return request
        self.opened += 1
        if request == "crash":
            raise ValueError("jammed")
        return None

    def format_status(self, status: Inspection) -> Inspection:
        return replace(status, state={**status.state, "diary": Shown("***")})


@simulated
async def test_a_report_holds_message_reason_state_and_restarts() -> None:
    supervisor = await start(Supervisor, [child(Vault, name="vault")], label="bank")
    for _ in range(2):
        cast("vault", "crash")
        await quiet()
    first, second = debug.crash_reports()[:2]
    assert (first.label, first.kind, first.path) == ("vault", "Vault", ("bank", "vault"))
    assert first.reason == "ValueError: jammed"
    assert first.message == "Cast('crash')"
    assert first.state["opened"] == "1"
    assert (first.restarts, second.restarts) == (0, 1)
    assert (first.recent, first.state_before) == ((), None)
    assert not supervisor.is_alive()


@simulated
async def test_a_report_keeps_nothing_of_the_process() -> None:
    class Owner(GenServer):
        def init(self) -> None:
            self.owned = Owned()
            owned.append(weakref.ref(self.owned))

        def handle_cast(self, request: Any) -> None:
            local = self.owned
            raise ValueError(local, request)

    owned: list[weakref.ref[Owned]] = []
    ref = await start(Owner)
    debug.record(ref, 3)
    cast(ref, Owned())
    await quiet()
    gc.collect()
    assert len(debug.crash_reports()) == 1
    assert owned[0]() is None


@simulated
async def test_a_report_says_where_it_crashed_and_of_which_class() -> None:
    ref = await start(Vault)
    cast(ref, "crash")
    await quiet()
    report = debug.crash_reports()[-1]
    assert report.error is ValueError
    assert 'raise ValueError("jammed")\nValueError: jammed' in report.traceback.replace("    raise", "raise")
    await kill(ref)
    other = await start(Vault)
    cast(other, Stop("worn out"))
    await quiet()
    report = debug.crash_reports()[-1]
    assert (report.reason, report.error, report.traceback) == ("worn out", None, "")


@simulated
async def test_what_format_status_raises_hides_contents_and_nothing_else() -> None:
    class Broken(Vault):
        def format_status(self, status: Inspection) -> Inspection:
            raise failures[-1]

    failures: list[BaseException] = []
    for failure in (SystemExit(), asyncio.CancelledError(), GeneratorExit()):
        failures.append(failure)
        ref = await start(Broken)
        ended = down(ref)
        cast(ref, "crash")
        assert isinstance((await ended).exception, ValueError)
        report = debug.crash_reports()[-1]
        assert (report.message, report.reason) == ("Cast('crash')", "ValueError")
        assert report.traceback.endswith("\nValueError")


@simulated
async def test_format_status_decides_what_may_be_seen() -> None:
    ref = await start(Vault)
    debug.record(ref, 3)
    ended = down(ref)
    cast(ref, "crash")
    await ended
    report = debug.crash_reports()[-1]
    assert report.state["diary"] == "'***'"
    assert report.state_before is not None
    assert report.state_before["diary"] == "'***'"
    assert "hunter2" not in repr(report)


@simulated
async def test_a_format_status_that_fails_hides_the_state_and_not_the_crash() -> None:
    class Broken(Vault):
        def format_status(self, status: Inspection) -> Inspection:
            raise KeyError("oops")

    ref = await start(Broken)
    ended = down(ref)
    cast(ref, "crash")
    assert isinstance((await ended).exception, ValueError)
    assert debug.crash_reports()[-1].state == {"format_status": "failed: KeyError"}


@simulated
async def test_a_state_that_cannot_be_printed_hides_nothing_else() -> None:
    class Unprintable:
        def __repr__(self) -> str:
            raise ValueError("no")

    ref = await start(Vault)
    debug.replace_state(ref, lambda state: {**state, "opened": 0, "odd": Unprintable()})
    ended = down(ref)
    cast(ref, "crash")
    await ended
    state = debug.crash_reports()[-1].state
    assert state["opened"] == "1"
    assert "Unprintable" in state["odd"]


@simulated
async def test_with_a_history_it_holds_the_last_messages_and_the_state_before() -> None:
    ref = await start(Vault)
    debug.record(ref, 3)
    for message in (1, 2, 3, 4):
        cast(ref, message)
    await quiet()
    assert [repr(message) for message in debug.recorded(ref)] == ["Cast(2)", "Cast(3)", "Cast(4)"]
    ended = down(ref)
    cast(ref, "crash")
    await ended
    report = debug.crash_reports()[-1]
    assert report.recent == ("Cast(int)", "Cast(int)")
    assert report.state_before is not None
    assert (report.state_before["opened"], report.state["opened"]) == ("4", "5")


@simulated
async def test_a_report_shows_all_contents_where_that_is_wanted_and_none_to_those_who_may_not_see_them() -> None:
    Scheduler.current().shows_values = True
    ref = await start(Vault, "hunter2")
    debug.record(ref, 3)
    for message in ("tidy", "crash"):
        cast(ref, message)
    await quiet()
    report = debug.crash_reports()[-1]
    assert (report.message, report.recent) == ("Cast('crash')", ("Cast('tidy')",))
    assert "opened=1," in report.case
    assert "cast(subject, 'crash')" in report.case
    hidden = report.without_values()
    assert (hidden.reason, hidden.state["opened"]) == ("ValueError", "int")
    seen = [hidden.case, hidden.message, *hidden.recent, *hidden.state.values(), *(hidden.state_before or {}).values()]
    for text in (*seen, *hidden.traceback.replace('raise ValueError("jammed")', "").splitlines()):
        assert not any(word in text for word in ("jammed", "tidy", "hunter2", "=1"))


@simulated
async def test_a_reason_that_is_replaced_is_not_in_the_traceback_either() -> None:
    class Careful(Vault):
        def format_status(self, status: Inspection) -> Inspection:
            return replace(status, message="hidden", reason="hidden")

    ref = await start(Careful)
    ended = down(ref)
    cast(ref, "crash")
    await ended
    report = debug.crash_reports()[-1]
    assert (report.reason, report.message) == ("hidden", "str(6)")
    assert report.traceback.endswith("\nValueError")
    assert "jammed" not in str(report.facts).replace('raise ValueError("jammed")', "")


@simulated
async def test_recording_can_be_ended() -> None:
    ref = await start(Vault)
    debug.record(ref, 3)
    cast(ref, 1)
    await quiet()
    debug.record(ref, None)
    cast(ref, 2)
    await quiet()
    assert debug.recorded(ref) == []


@simulated
async def test_a_tracer_and_a_history_do_not_disturb_each_other() -> None:
    ref = await start(Vault)
    seen: list[Any] = []
    debug.trace(ref, seen.append)
    debug.record(ref, 3)
    cast(ref, 1)
    await quiet()
    debug.trace(ref, None)
    cast(ref, 2)
    await quiet()
    assert (len(seen), len(debug.recorded(ref))) == (1, 2)


@simulated
async def test_an_orderly_end_and_a_kill_are_no_crash() -> None:
    for reason in ("normal", "shutdown"):
        ref = await start(Vault)
        ended = down(ref)
        cast(ref, Stop(reason))
        await ended
    await kill(await start(Vault))
    assert debug.crash_reports() == []


@simulated
async def test_only_the_last_reports_are_kept() -> None:
    for _ in range(KEPT + 5):
        ref = await start(Vault)
        ended = down(ref)
        cast(ref, "crash")
        await ended
    assert len(debug.crash_reports()) == KEPT


@simulated
async def test_what_is_shown_of_a_process_does_not_change_it() -> None:
    ref = await start(Vault)
    debug.get_state(ref)["opened"] = 99
    assert debug.get_state(ref)["opened"] == 0
    assert debug.info(ref) is not None
