"""State that a process hands to its successor over a restart."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from actors import Call, Cast, GenServer, Ref, Stop, call, cast, down, send, send_exit, start, stop, whereis
from actors.gen_statem import Event, GenStateMachine, Keep, Next, ReplyTo
from actors.testing import kill, quiet
from supervision import (
    ChildSpec,
    DynamicSupervisor,
    Restart,
    Strategy,
    Supervisor,
    child,
    restart_child,
    start_dynamic_child,
    terminate_child,
    which_children,
)
from tests.support.scenarios import simulated


class Heir(GenServer):
    """Counts, and leaves the count to its successor; 13 is poison."""

    def init(self, starts: list[Any], number: int = 0) -> None:
        self.number = number
        self.count = 0
        starts.append(self.ref)

    def checkpoint(self) -> int:
        return self.count

    def restore(self, checkpoint: int) -> None:
        if checkpoint == 13:
            raise ValueError("poison")
        self.count = checkpoint

    def handle_cast(self, request: Any) -> Any:
        if isinstance(request, Stop):
            return request
        self.count += request
        return None

    def handle_call(self, request: Any, from_: Call) -> int:
        return self.count


def heir(starts: list[Any] | None = None, **options: Any) -> ChildSpec:
    return child(Heir, [] if starts is None else starts, **{"id": "h", "name": "h", **options})


async def after(ref: Ref) -> None:
    """Wait for the end of a process and for what follows."""
    await down(ref)
    await quiet()


def holder(name: str = "h") -> Ref:
    ref = whereis(name)
    assert ref is not None
    return ref


@simulated
async def test_a_crash_hands_the_checkpoint_to_the_successor() -> None:
    await start(Supervisor, [heir()])
    first = holder()
    cast("h", 5)
    cast("h", "crash")
    await after(first)
    assert holder() is not first
    assert await call("h", 0) == 5


@simulated
@pytest.mark.parametrize("how", ["kill", "signal", "stop"])
async def test_every_abnormal_end_does(how: str) -> None:
    await start(Supervisor, [heir()])
    first = holder()
    cast("h", 5)
    await quiet()
    if how == "stop":
        cast("h", Stop("bad"))
    else:
        send_exit(first, "kill" if how == "kill" else "boom")
    await after(first)
    assert await call("h", 0) == 5


@simulated
@pytest.mark.parametrize("reason", ["normal", "shutdown"])
async def test_an_orderly_end_hands_over_nothing(reason: str) -> None:
    await start(Supervisor, [heir()])
    cast("h", 5)
    first = holder()
    cast("h", Stop(reason))
    await after(first)
    assert await call("h", 0) == 0


@simulated
async def test_a_child_stopped_and_started_by_hand_begins_anew() -> None:
    supervisor = await start(Supervisor, [heir()])
    cast("h", 5)
    await terminate_child(supervisor, "h")
    await restart_child(supervisor, "h")
    assert await call("h", 0) == 0


@simulated
async def test_a_sibling_restarted_for_anothers_sake_begins_anew() -> None:
    children = [heir(), child(Heir, [], id="other", name="other")]
    await start(Supervisor, children, strategy=Strategy.ONE_FOR_ALL)
    cast("h", 5)
    cast("other", 7)
    await quiet()
    first = holder()
    await kill(first)
    await quiet()
    assert (await call("h", 0), await call("other", 0)) == (5, 0)


@simulated
async def test_a_poisoned_checkpoint_is_dropped_at_the_second_attempt() -> None:
    starts: list[Any] = []
    await start(Supervisor, [heir(starts)], intensity=3)
    first = holder()
    cast("h", 13)
    await quiet()
    await kill(first)
    await quiet()
    assert await call("h", 0) == 0
    assert len(starts) == 3


@simulated
@pytest.mark.parametrize("failures", [1, 3])
async def test_a_checkpoint_survives_an_init_that_fails_before_it_is_restored(failures: int) -> None:
    left = [0]

    class Reconnecting(Heir):
        def init(self, starts: list[Any], number: int = 0) -> None:
            super().init(starts, number)
            if left[0]:
                left[0] -= 1
                raise ConnectionError("the database is away")

    await start(Supervisor, [child(Reconnecting, [], name="h")], intensity=10)
    cast("h", 6)
    assert await call("h", "count") == 6
    left[0] = failures
    await kill(whereis("h"))  # type: ignore[arg-type]
    await quiet()
    assert await call("h", "count") == 6
    assert left == [0]


@simulated
async def test_a_checkpoint_that_fails_is_reported_and_nothing_is_handed_over() -> None:
    class Broken(Heir):
        def checkpoint(self) -> int:
            raise ValueError("no")

    await start(Supervisor, [child(Broken, [], id="h", name="h")])
    cast("h", 5)
    await quiet()
    with capture_logs() as logs:
        await kill(holder())
    await quiet()
    assert await call("h", 0) == 0
    assert "actor.checkpoint_failed" in [entry["event"] for entry in logs]


@simulated
async def test_dynamic_children_hand_theirs_each_to_its_own_successor() -> None:
    supervisor = await start(DynamicSupervisor, heir(name=None))
    one, two = [await start_dynamic_child(supervisor, number) for number in (1, 2)]
    assert one is not None
    assert two is not None
    cast(one, 10)
    cast(two, 20)
    await quiet()
    await kill(one)
    await quiet()
    living = [info.ref for info in await which_children(supervisor)]
    assert [await call(ref, 0) for ref in living if isinstance(ref, Ref)] == [20, 10]


@simulated
async def test_a_temporary_child_leaves_nothing_to_anybody() -> None:
    supervisor = await start(Supervisor, [heir(restart=Restart.TEMPORARY)])
    await kill(holder())
    await quiet()
    assert await which_children(supervisor) == []


@simulated
async def test_a_process_that_checkpoints_nothing_restores_nothing() -> None:
    class Plain(GenServer):
        def restore(self, checkpoint: Any) -> None:
            raise AssertionError("there is nothing to restore")

    await start(Supervisor, [child(Plain, name="h")])
    first = holder()
    await kill(first)
    await quiet()
    assert holder() is not first


@simulated
async def test_a_state_machine_may_go_on_in_the_state_it_was_in() -> None:
    class Switch(GenStateMachine):
        def init(self) -> Next:
            return Next("off")

        def checkpoint(self) -> Any:
            return self.state

        def restore(self, checkpoint: Any) -> Next:
            return Next(checkpoint)

        def off(self, event: Event) -> Any:
            return Next("on") if isinstance(event, Cast) else self.handle_event(event, self.state)

        def on(self, event: Event) -> Any:
            return Next("off") if isinstance(event, Cast) else self.handle_event(event, self.state)

        def handle_event(self, event: Event, state: Any) -> Any:
            return Keep(ReplyTo(event, state)) if isinstance(event, Call) else super().handle_event(event, state)

    supervisor = await start(Supervisor, [child(Switch, name="h")])
    cast("h", "press")
    first = holder()
    send(first, "crash")
    await after(first)
    assert await call("h", "state") == "on"
    await stop(supervisor)


@simulated
async def test_neither_a_checkpoint_nor_its_restoring_may_wait() -> None:
    class Waits(Heir):
        async def checkpoint(self) -> int:  # type: ignore[override]
            return self.count

    class WaitsLater(Heir):
        async def restore(self, checkpoint: int) -> None:  # type: ignore[override]
            self.count = checkpoint

    for kind in (Waits, WaitsLater):
        supervisor = await start(Supervisor, [child(kind, [], id="h", name="h")], intensity=5)
        cast("h", 5)
        await quiet()
        await kill(holder())
        await quiet()
        assert await call("h", 0) == 0
        await stop(supervisor)
