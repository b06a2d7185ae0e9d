"""One simulation: its loop, its randomness, the injected faults, and the trace of events."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
import random
import re
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, TypeVar

import structlog

from actors.describe import describe
from actors.exits import KILL, SHUTDOWN, ExitReason
from actors.gen_server import GenServer
from actors.guard import pass_interrupt_on
from actors.kernel.call import call
from actors.kernel.cell import Cell
from actors.kernel.process import start, start_link, start_successor
from actors.kernel.ref import Ref
from actors.kernel.report import CrashReport
from actors.kernel.scheduler import Scheduler
from actors.kernel.system import down, send_exit, stop
from actors.testing.chance import Chance, Plan
from actors.testing.clock import VirtualLoop
from actors.testing.orders import Order, by_chance, by_priority
from actors.testing.probe import Probe

T = TypeVar("T")

PASSES_OF_CLEANUP = 100_000
"""Maximum number of passes of the loop for tasks that are cancelled at the end of a simulation."""
LINES_OF_LOG = 30
"""Number of the last lines of the log that a failure shows."""

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Fault(Exception):
    """Raised in a process to inject a crash. The kit does not count such a crash as a mistake of the process."""


class Kit:
    """A test's access to its simulation.

    Args:
        seed: determines run order, decisions and faults; None runs processes first come, first served, without faults
        plan: decisions that replace those of the seed; see `explore`
        traces: record events for `trace`

    Attributes:
        chance: source of the test's own random decisions
        faults: the faults injected so far, as text
        log: the lines that processes have logged
    """

    def __init__(self, seed: int | None = None, *, plan: Plan | None = None, traces: bool = False) -> None:
        self.seed = seed
        self.loop = VirtualLoop()
        self.loop.finds_deadlocks = True
        self.chance = Chance(seed, plan)
        self.faults: list[str] = []
        self.log: list[str] = []
        self._events: list[str] | None = [] if traces else None
        self._orders = self.chance.stream("order")
        self._order = _order_of(seed, self.chance)
        self._is_planned = plan is not None
        self._is_calm = False
        self._turns = 0
        self._crashes: dict[int, tuple[ExitReason, Callable[[Ref], bool]]] = {}
        self._targets: dict[tuple[str, int], ExitReason] = {}
        self._taken: dict[Ref, int] = {}
        self._is_expected: list[Callable[[CrashReport], bool]] = []
        self._nursery: Ref | None = None
        self.scheduler = Scheduler(
            self.loop,
            pick=None if seed is None and not traces else self._pick,
            inline_blocking=True,
            chance=self.chance.random("scheduler"),
        )
        self.scheduler.crashes = deque()  # without the usual limit
        self.scheduler.shows_values = True  # the reader is the author of the test
        if seed is not None or traces:
            self.scheduler.messages_per_turn = 1

    # Running.

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` to its end in virtual time, then stop the supervised processes.

        Raises:
            Stuck, Deadlock, Livelock: if `main` or the stop never ends
            AssertionError: if a process crashed unexpectedly
        """
        with self._logging(), asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            try:
                return runner.run(self._supervised(main))
            finally:
                self.loop.finds_deadlocks = False
                self.loop.passes_left = PASSES_OF_CLEANUP
                for process in list(self.scheduler.processes.values()):
                    self.scheduler.signal(process.exit_signal, None, KILL, False)

    def close(self) -> None:
        """Close the loop of a simulation, whether or not it was run."""
        self.loop.close()

    async def _supervised(self, main: Coroutine[Any, Any, T]) -> T:
        result = await main
        await self.stop_supervised()
        for report in self.scheduler.crashes:
            if self._is_mistake(report) and not any(is_expected(report) for is_expected in self._is_expected):
                raise AssertionError("a process crashed unexpectedly:\n" + describe_crash(report))
        return result

    def _is_mistake(self, report: CrashReport) -> bool:
        """Return whether a crash is neither an injected fault nor a consequence of one, such as a failed call."""
        return not self.faults if report.error is None else not issubclass(report.error, Fault)

    # Processes of a test.

    async def start_supervised(self, spec: Any, /, *args: Any, **kwargs: Any) -> Ref:
        """Start a process that is stopped at the end of the test, in reverse order of start. It is not restarted.

        Args:
            spec: a process class, with `args` and `kwargs` for its `init` as in `start`; or a child specification

        Raises:
            RuntimeError: outside of the simulation.
        """
        self._require_simulation()
        if self._nursery is None or not self._nursery.is_alive():
            self._nursery = await start(Nursery, label="test")
        begin: Callable[[], Coroutine[Any, Any, Ref]]
        if isinstance(spec, type):
            begin, patience = partial(start_link, spec, *args, **kwargs), 5.0
        else:
            begin, patience = _starter(spec), spec.shutdown
        outcome = await call(self._nursery, (begin, patience), timeout=None)
        if isinstance(outcome, BaseException):
            raise outcome
        ref: Ref = outcome
        return ref

    async def stop_supervised(self) -> None:
        """Stop the supervised processes, the last one first; otherwise the end of the test does so.

        Raises:
            RuntimeError: outside of the simulation.
        """
        self._require_simulation()
        if self._nursery is not None and self._nursery.is_alive():
            await stop(self._nursery, SHUTDOWN)

    async def probe(self, *, trap_exit: bool = True) -> Probe:
        """Start a probe.

        Raises:
            RuntimeError: outside of the simulation.
        """
        self._require_simulation()
        return await Probe.begin(trap_exit=trap_exit)

    def expect_crash(self, is_expected: Callable[[CrashReport], bool] | str) -> None:
        """Let the test pass although processes crash: those with this label, or whose crash report it accepts."""
        if isinstance(is_expected, str):
            self._is_expected.append(partial(_is_of, is_expected))
        else:
            self._is_expected.append(is_expected)

    # Faults.

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        if self._events is not None:
            self._events.append(f"{self.loop.now - 1e6:10.4f}  {_plain(text)}")

    def fault(self, text: str) -> None:
        """Add a line to the list of faults."""
        self.faults.append(f"{self.loop.now - 1e6:.4f} s: {text}")
        self.note(f"FAULT {text}")

    def happens(self, what: str, probability: float) -> bool:
        """Draw from the seed whether the fault `what` happens now; record it if so."""
        if self._is_calm or not self.chance.stream(what).happens(probability):
            return False
        self.fault(what)
        return True

    def crash(self, label: str, *, at: int, reason: ExitReason = "crash") -> None:
        """Crash the process with this label just before it handles its `at`-th message, which is lost."""
        self._targets[label, at] = reason

    def crash_some(
        self,
        count: int,
        *,
        within: int,
        may_crash: Callable[[Ref], bool] | None = None,
        reason: ExitReason = "crash",
    ) -> None:
        """Crash the next process to run at up to `count` of the next `within` turns, drawn from the seed.

        Args:
            may_crash: return False to spare the process. By default, processes that no supervisor restarts are spared:
                those that the test itself started, supervised or not
        """
        when = self.chance.stream("crash at")
        for _ in range(count):
            turn = when.choose(within)
            if turn:
                self._crashes[self._turns + turn] = (reason, may_crash or self._has_parent)

    def calm(self) -> None:
        """Inject no more faults from now on."""
        self._is_calm = True
        self._crashes.clear()
        self._targets.clear()

    def jump(self, seconds: float) -> None:
        """Move the clock forward, as if the machine had slept or a disk had been slow.

        Raises:
            ValueError: unless `seconds` is finite and at least 0.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"jump({seconds}): seconds must be finite and at least 0")
        self.loop.jump_to(self.loop.now + seconds)
        self.fault(f"the clock jumps by {seconds:g} s")

    # Reports.

    def trace(self) -> list[str]:
        """Return the events, one line each: which process ran, with which message, and what it logged."""
        return list(self._events or ())

    def leaks(self) -> list[str]:
        """Return what is left over: processes, names, pending timers, and what `dangling` returns."""
        scheduler = self.scheduler
        left = [f"process {process}" for process in scheduler.processes.values()]
        left += [f"name {name}" for name in scheduler.names]
        left += [f"timer {_plain(timer)}" for timer in self.loop.timers()]
        return left + self.dangling()

    def dangling(self) -> list[str]:
        """Return the links and monitors between a living and a dead process, and duplicate monitors of one process."""
        left = []
        living = set(self.scheduler.processes.values())
        for cell in self.scheduler.processes.values():
            left += [f"link of {cell} to the dead {peer}" for peer in cell.links or () if peer not in living]
            for watched, count in Counter((cell.monitors or {}).values()).items():
                if count > 1:
                    left.append(f"{count} monitors of {watched} by {cell}")
                if watched not in living:
                    left.append(f"monitor of the dead {watched} by {cell}")
            watchers = Counter((cell.monitored_by or {}).values())
            left += [f"monitor of {cell} by the dead {watcher}" for watcher in watchers if watcher not in living]
        return left

    # Private.

    def _require_simulation(self) -> None:
        if asyncio.get_running_loop() is not self.loop:
            raise RuntimeError(
                "this code runs on another event loop, in real time, and not in the simulation of its `kit`. Use the"
                " kit in the test itself, not in an asynchronous fixture or inside `asyncio.run`"
            )

    def _has_parent(self, ref: Ref) -> bool:
        """Return whether a process of the application started this one."""
        return ref._cell is not None and ref._cell.parent not in (None, self._nursery)

    def _pick(self, queue: deque[Cell]) -> Cell:
        self._turns += 1
        count = len(queue)
        drawn = 0 if count == 1 or self._is_planned else self._order(queue)
        index = self._orders.settle(drawn, count)
        cell = queue[index]
        del queue[index]
        items = cell.mailbox.items
        if self._events is not None:
            message = items[0] if items and cell.status.value == "queued" and not cell.has_activity() else _RESUMES
            self.note(f"{cell.ref!r}  {describe(message, shows_values=True)}")
        if self._crashes or self._targets:
            self._inject_crash(cell)
        return cell

    def _inject_crash(self, cell: Cell) -> None:
        """Crash the process that is about to run, if a fault is due; the turn of a dead process does nothing."""
        reason, may_crash = self._crashes.pop(self._turns, (None, None))
        if may_crash is not None and not may_crash(cell.ref):
            reason = None
        taken = self._taken[cell.ref] = self._taken.get(cell.ref, 0) + 1
        if reason is None:
            reason = self._targets.pop((cell.ref.label, taken), None)
        if reason is not None:
            self.fault(f"crash {cell.ref!r} with {reason!r} at its message {taken}")
            self.scheduler.signal(cell.exit_now, reason)

    @contextlib.contextmanager
    def _logging(self) -> Iterator[None]:
        """Record log events instead of writing them."""
        before = structlog.get_config()
        structlog.configure(processors=[self._keep], wrapper_class=structlog.BoundLogger)
        try:
            yield
        finally:
            structlog.configure(**before)

    def _keep(self, _logger: Any, level: str, event: Any) -> Any:
        name = event.pop("event")
        error = str(event.pop("exception", "")).rpartition("\n")[2]  # the last line of the stack trace
        facts = " ".join(f"{key}={describe(value, shows_values=True)}" for key, value in event.items())
        line = _plain(f"{level} {name} {facts} {error}".rstrip())
        self.log.append(line)
        self.note(line)
        raise structlog.DropEvent


class Nursery(GenServer):
    """The parent of the supervised processes of a test."""

    def init(self) -> None:
        self.trap_exit = True
        self.begun: list[tuple[Ref, Any]] = []

    async def handle_call(self, request: Any, from_: Any) -> Any:
        """Start a process, and return it or the exception that its start raised."""
        begin, patience = request
        try:
            ref = await begin()
        except GeneratorExit:  # the nursery itself is exiting
            raise
        except BaseException as exception:  # noqa: BLE001  # re-raised in the test
            pass_interrupt_on(exception)
            return exception
        if not isinstance(ref, Ref):
            return TypeError(f"a start function must return the process that it started, got {describe(ref)}")
        self.begun.append((ref, patience))
        return ref

    def handle_info(self, message: Any) -> None:
        """Ignore the exit of a process: if it crashed, its crash report fails the test."""

    async def terminate(self, reason: ExitReason) -> None:
        """Stop the processes, the last one first."""
        for ref, patience in reversed(self.begun):
            if not ref.is_alive():
                continue
            ended = down(ref)
            send_exit(ref, KILL if patience == "brutal_kill" else SHUTDOWN)
            await asyncio.wait((ended,), timeout=None if patience in ("brutal_kill", math.inf) else patience)
            if not ended.done():
                send_exit(ref, KILL)
                await ended


def describe_crash(report: CrashReport) -> str:
    """Format a crash report as text."""
    lines = [
        f"{' > '.join(report.path)}: {report.kind} {report.ref!r} ended with {_plain(report.reason)}",
        f"  while it handled {_plain(report.message)}",
        *(f"  {name} = {_plain(value)}" for name, value in report.state.items()),
    ]
    return "\n".join(lines)


def describe_run(kit: Kit) -> str:
    """Format what a failure shows of its run, without the trace."""
    lines = [f"seed {kit.seed}"]
    if kit.faults:
        lines += ["faults:", *(f"  {fault}" for fault in kit.faults)]
    if kit.log:
        last = kit.log[-LINES_OF_LOG:]
        lines += [f"the last {len(last)} of {len(kit.log)} lines of the log:", *(f"  {line}" for line in last)]
    return "\n".join(lines)


def seeded_pick(seed: int) -> Callable[[deque[Cell]], Cell]:
    """Return a run order drawn from `seed`, in which each queued process is equally likely to run next."""
    order = by_chance(random.Random(seed))

    def pick(queue: deque[Cell]) -> Cell:
        index = order(queue)
        process = queue[index]
        del queue[index]
        return process

    return pick


def run(main: Coroutine[Any, Any, T], *, seed: int | None = None) -> T:
    """Run `main` in virtual time with the run order of `seed` (None: first come, first served), without a kit.

    Raises:
        Stuck: if `main` waits for something that can never happen.
    """
    loop = VirtualLoop()
    pick = None if seed is None else seeded_pick(seed)
    scheduler = Scheduler(loop, pick=pick, inline_blocking=True, chance=random.Random(seed or 0))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            return runner.run(main)
        except BaseException as exception:
            if seed is not None:
                exception.add_note(f"seed {seed}")
            raise
        finally:
            for process in list(scheduler.processes.values()):
                scheduler.signal(process.exit_signal, None, KILL, False)


class _Resumes:
    def __repr__(self) -> str:
        return "resumes after an await"


_RESUMES = _Resumes()


def _order_of(seed: int | None, chance: Chance) -> Order:
    """Return the run order of a seed: first come, first served for None, by priority if odd, random if even."""
    if seed is None:
        return lambda _: 0
    source = chance.random("order")
    return by_priority(source) if seed % 2 else by_chance(source)


def _starter(spec: Any) -> Callable[[], Coroutine[Any, Any, Ref]]:
    """Return a function that starts the process of a child specification, as a supervisor would."""
    if inspect.iscoroutinefunction(spec.start):
        return partial(spec.start, *spec.args, **spec.kwargs)
    label = spec.label or spec.name or (spec.id if isinstance(spec.id, str) else None)
    return partial(start_successor, None, spec.start, spec.args, spec.kwargs, name=spec.name, label=label)


def _is_of(label: str, report: CrashReport) -> bool:
    return report.label == label


def _plain(text: str) -> str:
    """Remove memory addresses, which differ between Python processes."""
    return _ADDRESS.sub("", text)
