"""An application against a model: whatever is asked of it, its lives follow each other and leave nothing."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from actors import KILL, NORMAL, StartError
from actors.debug import force_exit, processes, view
from actors.testing import run
from supervision import GAVE_UP, INFINITY, Application, Supervisor, child, supervisor
from tests.support.puppet import Puppet

SEEDS = range(100)
STEPS = 12


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def await_the_cancelled() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


def leave() -> None:
    raise SystemExit(3)


BEHAVIOURS: dict[str, Callable[[], Any]] = {
    "returns": lambda: None,
    "waits": lambda: asyncio.sleep(2),
    "hangs": forever,
    "exits": leave,
    "awaits the cancelled": await_the_cancelled,
}


class Model:
    """An application whose functions and processes do what chance has them do, and what may be known of its lives.

    Attributes:
        application: the one under test
        life: how many starts were accepted
        calls: the functions that were called, with the life in which
        waits: a `wait` for every start
        tasks: what was asked for
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.life = 0
        self.trouble = chance.choice([0.05, 0.15, 0.4])
        self.is_over = False
        self.calls: list[tuple[int, str]] = []
        self.waits: list[asyncio.Task[Any]] = []
        self.tasks: list[asyncio.Task[Any]] = []
        leaves = [child(Puppet, self.deed, self.end, id=number, shutdown=INFINITY) for number in range(2)]
        branch = supervisor("branch", leaves)
        root = child(Supervisor, [child(Puppet, self.deed, self.end, id="leaf"), branch], id="root")
        self.application = Application(
            root,
            prepare_stop=lambda: self.call("prepare_stop"),
            start_phases={"first": lambda: self.call("first"), "second": lambda: self.call("second")},
            stopped=lambda: self.call("stopped"),
        )

    def call(self, name: str) -> Any:
        """What every function of the application runs."""
        self.calls.append((self.life, name))
        if name == "stopped":
            assert processes() == []
        return self.stubborn() if self.chance.random() < self.trouble / 4 else BEHAVIOURS[self.draw("returns")]()

    async def stubborn(self) -> None:
        """Ignore every cancellation as long as the test lasts."""
        while not self.is_over:
            with contextlib.suppress(asyncio.CancelledError):
                await forever()

    def deed(self, puppet: Puppet) -> Any:
        """What the `init` of every process runs."""
        puppet.trap_exit = self.chance.random() < 0.7
        return BEHAVIOURS[self.draw("returns", "waits")]()

    def end(self, _: Puppet) -> Any:
        """What every `terminate` runs."""
        return BEHAVIOURS[self.draw("returns", "waits")]()

    def draw(self, *usual: str) -> str:
        return self.chance.choice(tuple(BEHAVIOURS) if self.chance.random() < self.trouble else usual)

    def begin(self, work: Any) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def start(self) -> None:
        """Start it: that is refused exactly while the last life lasts, and a new one begins with nothing."""
        has_ended = all(wait.done() for wait in self.waits)
        left = processes()
        self.life += 1
        try:
            await self.application.start()
        except RuntimeError:
            self.life -= 1
            assert not has_ended
        except StartError:
            assert left == []
        else:
            assert left == []

    async def kill(self) -> None:
        """Kill it: that takes no time, whatever hangs, and leaves nothing."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        await self.application.kill()
        await asyncio.sleep(0)
        assert loop.time() == before
        assert all(wait.done() for wait in self.waits)
        assert processes() == []

    def cancel_something(self) -> None:
        if self.tasks:
            self.chance.choice(self.tasks).cancel()

    def strike(self) -> None:
        """End a process of the tree: the top supervisor, once it has started, or a leaf."""
        victims = [process.ref for process in processes() if process.kind == "Puppet"]
        top = [process.ref for process in processes() if process.label == "root"]
        if self.chance.random() < 0.7:
            victims = [ref for ref in top if (process := view(ref)) is not None and not process.is_starting()]
        if victims:
            force_exit(self.chance.choice(victims), self.chance.choice([GAVE_UP, KILL, "crash", NORMAL]))

    async def live(self) -> None:
        """Do at random what may be done."""
        for _ in range(STEPS):
            match self.chance.choice(["start", "start", "stop", "kill", "strike", "cancel", "wait", "wait"]):
                case "start":
                    self.begin(self.start())
                    await asyncio.sleep(0)
                    self.waits.append(asyncio.ensure_future(self.application.wait()))
                case "stop":
                    self.begin(self.application.stop())
                case "kill":
                    await self.kill()
                case "strike":
                    self.strike()
                case "cancel":
                    self.cancel_something()
                case "wait":
                    await asyncio.sleep(self.chance.choice([0, 0, 0.5, 1, 3, 20]))


@pytest.mark.parametrize("seed", SEEDS)
def test_lives_follow_each_other_and_leave_nothing(seed: int) -> None:
    async def scenario() -> None:
        model = Model(random.Random(seed))
        await model.live()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                await model.application.stop()
        await model.kill()
        model.is_over = True
        async with asyncio.timeout(60):  # of virtual time: nothing may be left to wait for
            outcomes = await asyncio.gather(*model.tasks, return_exceptions=True)
        for outcome in outcomes:
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
        assert len(model.calls) == len(set(model.calls)), "a function was called twice in one life"
        for life, name in model.calls:
            if name == "stopped":
                assert (life, "prepare_stop") in model.calls

    run(scenario(), seed=seed)
