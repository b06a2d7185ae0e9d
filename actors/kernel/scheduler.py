"""The run queue: which process runs next on an event loop, and for how long."""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import random
import sys
import threading
from asyncio import get_running_loop
from collections import deque
from collections.abc import AsyncGenerator, Callable
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from actors.describe import describe
from actors.exits import KILLED
from actors.failures import ProcessExit
from actors.guard import attempt, pass_interrupt_on
from actors.kernel.deadlines import Deadlines
from actors.kernel.ref import Ref
from actors.kernel.report import KEPT, CaseWriters, CrashReport
from actors.kernel.threads import CHECK_EVERY, NO_THREAD, Post, refuse_to_block

if TYPE_CHECKING:
    from actors.kernel.call import Ask, Call
    from actors.kernel.cell import Cell
    from actors.kernel.ref import Target

T = TypeVar("T")
Pick = Callable[["deque[Cell]"], "Cell"]

RUNNING: contextvars.ContextVar[Cell | None] = contextvars.ContextVar("canopy.running", default=None)
"""The process whose callback runs. Tasks that a callback makes inherit it."""

MESSAGES_PER_TURN = 64
"""After so many messages a process goes to the back of the queue (OTP's reductions)."""
TURNS_PER_PASS = 64
"""After so many turns the event loop gets to its sockets and timers."""


class Scheduler:
    """The processes of one event loop: their run queue, their names, and the way in from other threads.

    One per loop, made when it is first asked for with `Scheduler.current()`. All its methods but `post`, `invoke` and
    `deliver` belong to the loop's thread. When the loop shuts down (`asyncio.run` does that), its processes are killed.

    Args:
        loop: the event loop
        pick: takes the next process out of the run queue; the oldest by default
        inline_blocking: run blocking processes on the loop's thread too (for simulations)
        chance: the source of randomness

    Attributes:
        thread: the one that runs the loop, or ran it last
        outside: the context of callbacks in which no process runs
        watches_loop: whether it hears of the end of the loop
        is_ending: whether all processes are being killed, so that none starts
        used: seconds that living processes have run since `profile` was switched on
        retired: messages that the dead have taken
        restarts: how often supervisors have started a process in the place of another
        crashed: how many processes have ended by their own mistake
        case_writers: what writes tests that repeat crashes; the package hands it in
        shows_values: whether crash reports and traces show all contents, declared safe or not: for development
    """

    case_writers: ClassVar[CaseWriters | None] = None
    _of_loop: ClassVar[dict[asyncio.AbstractEventLoop, Scheduler]] = {}
    _of_loop_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        pick: Pick | None = None,
        inline_blocking: bool = False,
        chance: random.Random | None = None,
    ) -> None:
        self.loop = loop
        self.random = chance or random.Random()
        self.inline_blocking = inline_blocking
        self.processes: dict[int, Cell] = {}
        self.names: dict[str, Ref] = {}
        self.outside = contextvars.Context()
        self.deadlines: Deadlines[Call] = Deadlines(loop, self.outside)
        self.crashes: deque[CrashReport] = deque(maxlen=KEPT)
        self.turns = 0
        self.retired = 0
        self.restarts = 0
        self.crashed = 0
        self.used: dict[Cell, float] = {}
        self.messages_per_turn = MESSAGES_PER_TURN
        self.shows_values = False
        self.thread = get_ident()
        self._pick = pick
        self._clock: Callable[[], float] | None = None
        self._queue: deque[Cell] = deque()
        self._pass_is_due = False
        self._last_id = 0
        self._foreign: deque[Post] = deque()
        self._foreign_is_due = False
        self._signals: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_signalling = False
        self.watches_loop = False
        self.is_ending = False
        self._shutdown_hook: AsyncGenerator[None] | None = None
        with Scheduler._of_loop_lock:
            for other in [other for other in Scheduler._of_loop if other.is_closed()]:
                del Scheduler._of_loop[other]
            Scheduler._of_loop[loop] = self

    @classmethod
    def current(cls) -> Scheduler:
        """The scheduler of the running event loop, or of the blocking process whose thread this is.

        Raises:
            RuntimeError: if neither is there.
        """
        try:
            loop = get_running_loop()
        except RuntimeError:
            thread = threading.current_thread()
            if isinstance(thread, ProcessThread):
                return thread.scheduler
            raise RuntimeError("processes live on an event loop: start them from code that runs on one") from None
        return cls._of_loop.get(loop) or cls(loop)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Scheduler:
        """The scheduler of `loop`."""
        return cls._of_loop.get(loop) or cls(loop)

    @property
    def running(self) -> Cell | None:
        """The process of this scheduler whose callback runs, or which made the task that runs; None in other code."""
        cell = RUNNING.get()
        return cell if cell is not None and cell.scheduler is self else None

    @property
    def started(self) -> int:
        """How many processes there have been."""
        return self._last_id

    def handled(self) -> int:
        """Messages taken so far, by the living and the dead; counts them all."""
        return self.retired + sum(cell.handled for cell in self.processes.values())

    def profile(self, clock: Callable[[], float] | None) -> None:
        """Measure each turn with `clock`, in seconds, from the next pass on; None ends that. Off, it costs nothing."""
        if clock is None or self._clock is None:
            self.used = {}
        self._clock = clock

    def next_id(self) -> int:
        """A number that no other process of this scheduler has or had."""
        self._last_id += 1
        return self._last_id

    def whereis(self, target: Target) -> Ref | None:
        """The process that `target` means now, dead or alive, or None for a name that no process holds."""
        if type(target) is Ref:
            return target
        if isinstance(target, str):
            return self.names.get(target)
        return target if isinstance(target, Ref) else target.whereis()

    # The end of the loop.

    def watch_loop(self) -> None:
        """Kill the processes when the loop shuts down: it closes asynchronous generators then, and this is one."""
        if sys.get_asyncgen_hooks().firstiter is not None:
            self.thread = get_ident()
            self.watches_loop = True
            self._shutdown_hook = self._until_shutdown()
            # With a `StopIteration` it has reached its `yield`, and waits there. Python may warn that it comes late.
            attempt(self._shutdown_hook.asend(None).send, None, default=None)

    async def _until_shutdown(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self.watches_loop = False  # the loop may go on, and shut down once more
            self.kill_all()

    def kill_all(self) -> None:
        """Kill every process, and serve what threads have asked. What is started meanwhile does not start."""
        self.is_ending = True
        try:
            for cell in list(self.processes.values()):
                self.signal(cell.end_with_loop)
        finally:
            self.is_ending = False
        self._run_posts()

    # The way in.

    def on_thread(self) -> bool:
        """Tell whether the caller runs on the loop's thread."""
        return get_ident() == self.thread

    def _has_moved_here(self) -> bool:
        """Note that this thread runs the loop now, if so: another one made it, or ran it before."""
        try:
            is_here = get_running_loop() is self.loop
        except RuntimeError:
            return False
        if is_here:
            self.thread = get_ident()
        return is_here

    def deliver(self, cell: Cell, message: Any) -> None:
        """Put `message` into a mailbox. From any thread; in order for each sender."""
        if get_ident() == self.thread:
            cell.receive(message)
        else:
            self.post(cell.receive, message)

    def post(self, function: Callable[..., object], *args: Any, dropped: Callable[[], object] | None = None) -> None:
        """Have `function(*args)` called on the loop's thread. From any thread.

        It is dropped if the loop is closed, or if this is the thread of a process that is killed meanwhile; then
        `dropped` is called, on one of the two threads.
        """
        thread = threading.current_thread()
        post = Post(function, args, thread if isinstance(thread, ProcessThread) else None, dropped)
        if post.is_fenced() or self.is_gone():
            post.drop()
            return
        self._foreign.append(post)  # a deque is safe from every thread, and from a finalizer that posts meanwhile
        if not self._foreign_is_due:
            self._foreign_is_due = True
            try:
                self.loop.call_soon_threadsafe(self._run_posts, context=self.outside)
            except RuntimeError:
                if not self.is_gone():
                    raise
                self._drop_posts()

    def invoke(self, function: Callable[..., T], *args: Any) -> T:
        """Return `function(*args)`, called on the loop's thread. From any thread; waits.

        Raises:
            RuntimeError: if the loop is closed, or was before it came to that.
            BlockingOnLoopError: if this thread runs another loop, which must not wait for this one.
            ProcessExit: `KILLED`, if this is the thread of a process that was killed.
        """
        if self.on_thread() or self._has_moved_here():
            return function(*args)
        refuse_to_block("this belongs to another event loop, and must be done there")
        answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put((function(*args), None))
            except BaseException as exception:  # noqa: BLE001  # it belongs to the thread that asked
                answers.put((None, exception))

        self.post(run, dropped=lambda: answers.put((None, self._refusal())))
        while True:
            try:
                value, error = answers.get(timeout=CHECK_EVERY)
            except queue.Empty:
                self.check_open()
                continue
            if error is not None:
                raise error
            result: T = value
            return result

    def is_gone(self) -> bool:
        """Tell whether no process of this scheduler can answer: the loop is closed, or runs in the parent of a fork."""
        return self.loop.is_closed() or self.thread == NO_THREAD

    def check_open(self) -> None:
        """Check that this thread may still wait for an answer.

        Raises:
            RuntimeError: if the loop is closed, or runs in the parent of a fork.
            ProcessExit: `KILLED`, if this is the thread of a process that was killed.
        """
        if self.is_gone():
            self._drop_posts()
            raise self.gone()
        thread = threading.current_thread()
        if isinstance(thread, ProcessThread) and thread.is_fenced:
            raise ProcessExit(KILLED)

    def gone(self) -> RuntimeError:
        """The error of a thread that wants something of a scheduler that is gone."""
        where = "is closed" if self.loop.is_closed() else "runs in the process that this one was forked from"
        return RuntimeError(f"the event loop {where}")

    def _refusal(self) -> BaseException:
        return self.gone() if self.is_gone() else ProcessExit(KILLED)

    def _run_posts(self) -> None:
        self._foreign_is_due = False
        posts = self._foreign
        for _ in range(len(posts)):
            if not posts:
                return
            post = posts.popleft()
            if post.is_fenced():  # looked at here again: the fence is set on this thread
                post.drop()
                continue
            try:
                post.function(*post.args)
            except BaseException as exception:  # noqa: BLE001  # its mistake; what others posted is served all the same
                pass_interrupt_on(exception)
                self._report(post.function, exception)
        if posts and not self._foreign_is_due:
            self._foreign_is_due = True
            self.loop.call_soon(self._run_posts, context=self.outside)

    def _drop_posts(self) -> None:
        while self._foreign:
            self._foreign.popleft().drop()

    def _report(self, function: Callable[..., object], exception: BaseException) -> None:
        context = {"message": f"{describe(function)} failed", "exception": exception}
        attempt(self.loop.call_exception_handler, context, default=None)

    # Turns.

    def enqueue(self, cell: Cell) -> None:
        """Give a process a turn after those who wait already."""
        self._queue.append(cell)
        if not self._pass_is_due:
            self._pass_is_due = True
            self.loop.call_soon(self._run_pass, context=self.outside)

    def _run_pass(self) -> None:
        """Give turns to those who waited when the pass began; those that they wake wait for the next pass."""
        queue, pick, budget, clock = self._queue, self._pick, self.messages_per_turn, self._clock
        waiting = len(queue)
        turns = waiting if waiting < TURNS_PER_PASS else TURNS_PER_PASS
        try:
            for _ in range(turns):
                cell = queue.popleft() if pick is None else pick(queue)
                context = cell.context
                if context is None:
                    context = cell.make_context()
                context.run(cell.turn if clock is None else partial(self._timed_turn, cell, clock), budget)
        finally:
            self.turns += turns
            if queue:
                self.loop.call_soon(self._run_pass, context=self.outside)
            else:
                self._pass_is_due = False

    def _timed_turn(self, cell: Cell, clock: Callable[[], float], budget: int) -> None:
        begin = clock()
        cell.turn(budget)
        if self._clock is not None and cell.ref.is_alive():  # a turn of this pass may have ended the measuring
            self.used[cell] = self.used.get(cell, 0.0) + clock() - begin

    # Signals.

    def signal(self, function: Callable[..., object], *args: Any) -> None:
        """Call `function(*args)` at once, or after the signals that are under way: a chain of links never recurses.

        One that fails is reported to the loop, and those behind it are served.
        """
        self._signals.append((function, args))
        if self._is_signalling:
            return
        self._is_signalling = True
        try:
            while self._signals:
                function, args = self._signals.popleft()
                try:
                    function(*args)
                except BaseException as exception:  # noqa: BLE001  # see above
                    pass_interrupt_on(exception)
                    self._report(function, exception)
        finally:
            self._is_signalling = False


class ProcessThread(threading.Thread):
    """The thread of one blocking process. Fenced when its process is killed: it cannot be stopped, only ignored.

    Attributes:
        is_fenced: what it posts goes nowhere
        asks: the call whose answer it waits for
    """

    def __init__(self, scheduler: Scheduler, target: Callable[[], None], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self.scheduler = scheduler
        self.is_fenced = False
        self.asks: Ask | None = None


def _forget_after_fork() -> None:
    """In the child of a fork, no loop of the parent runs: what is sent to its processes is refused, or lost."""
    for scheduler in Scheduler._of_loop.values():
        scheduler.thread = NO_THREAD
    Scheduler._of_loop = {}
    Scheduler._of_loop_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
