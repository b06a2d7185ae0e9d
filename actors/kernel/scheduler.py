"""The scheduler: which process runs next on an event loop, and for how long."""

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
"""The process whose callback is running. Tasks created in a callback inherit it."""

MESSAGES_PER_TURN = 64
"""Messages after which a process goes to the back of the run queue (OTP's reductions)."""
TURNS_PER_PASS = 64
"""Turns after which the event loop serves its sockets and timers."""


class Scheduler:
    """The processes of one event loop: their run queue, their names, and access from other threads.

    There is one per loop, created by the first call of `Scheduler.current()`. Only `post`, `invoke` and `deliver` are
    thread-safe; all other methods belong to the loop's thread. When the loop shuts down, which `asyncio.run` does, the
    scheduler kills its processes.

    Args:
        loop: the event loop
        pick: removes the next process from the run queue and returns it; the oldest by default
        inline_blocking: run blocking processes on the loop's thread too (for simulations)
        chance: the source of randomness

    Attributes:
        thread: the thread that runs the loop, or ran it last
        outside: the context of loop callbacks outside of any process
        watches_loop: whether the hook for the loop's shutdown is installed
        is_ending: whether all processes are being killed, so that none may start
        turns: number of turns so far
        crashes: the last crash reports, oldest first
        used: seconds that each living process has run since `profile` was switched on
        retired: number of messages handled by processes that are dead
        restarts: number of processes that supervisors started in place of another
        crashed: number of processes that have crashed
        case_writers: creates writers of tests that reproduce crashes; set by the package
        shows_values: whether crash reports and traces show all contents, declared safe or not (for development)
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
        self._pass_is_scheduled = False
        self._last_id = 0
        self._posts: deque[Post] = deque()
        self._posts_are_scheduled = False
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
        """Return the scheduler of the running event loop, or of the blocking process whose thread this is.

        Raises:
            RuntimeError: if this is neither.
        """
        try:
            loop = get_running_loop()
        except RuntimeError:
            thread = threading.current_thread()
            if isinstance(thread, ProcessThread):
                return thread.scheduler
            raise RuntimeError("processes live on an event loop: start them in code that runs on one") from None
        return cls._of_loop.get(loop) or cls(loop)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Scheduler:
        """Return the scheduler of `loop`."""
        return cls._of_loop.get(loop) or cls(loop)

    @property
    def running(self) -> Cell | None:
        """The process of this scheduler whose callback, or task made in a callback, is running; None elsewhere."""
        cell = RUNNING.get()
        return cell if cell is not None and cell.scheduler is self else None

    @property
    def started(self) -> int:
        """Number of processes created so far."""
        return self._last_id

    def handled(self) -> int:
        """Return the number of messages handled so far by all processes, in time linear in those alive."""
        return self.retired + sum(cell.handled for cell in self.processes.values())

    def profile(self, clock: Callable[[], float] | None) -> None:
        """Measure each turn with `clock`, in seconds, from the next pass on; None stops that. Free while off."""
        if clock is None or self._clock is None:
            self.used = {}
        self._clock = clock

    def next_id(self) -> int:
        """Return a number that no other process of this scheduler has or had."""
        self._last_id += 1
        return self._last_id

    def whereis(self, target: Target) -> Ref | None:
        """Return the process that `target` refers to now, dead or alive, or None if no process holds the name."""
        if type(target) is Ref:
            return target
        if isinstance(target, str):
            return self.names.get(target)
        return target if isinstance(target, Ref) else target.whereis()

    # Shutdown of the loop.

    def watch_loop(self) -> None:
        """Kill the processes when the loop shuts down, with an asynchronous generator that the loop closes then."""
        if sys.get_asyncgen_hooks().firstiter is not None:
            self.thread = get_ident()
            self.watches_loop = True
            self._shutdown_hook = self._until_shutdown()
            # `send` raises StopIteration when the generator has reached its `yield`. If the loop is already shutting
            # down, Python may warn that the generator was created too late.
            attempt(self._shutdown_hook.asend(None).send, None, default=None)

    async def _until_shutdown(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self.watches_loop = False  # the loop may continue, and shut down again
            self.kill_all()

    def kill_all(self) -> None:
        """Kill every process, then run what threads have posted. No process can start meanwhile."""
        self.is_ending = True
        try:
            for cell in list(self.processes.values()):
                self.signal(cell.end_with_loop)
        finally:
            self.is_ending = False
        self._run_posts()

    # Access from other threads.

    def on_thread(self) -> bool:
        """Return whether the caller runs on the loop's thread."""
        return get_ident() == self.thread

    def _has_moved_here(self) -> bool:
        """Update `thread` if this thread runs the loop now, which another created or ran before; return whether so."""
        try:
            is_here = get_running_loop() is self.loop
        except RuntimeError:
            return False
        if is_here:
            self.thread = get_ident()
        return is_here

    def deliver(self, cell: Cell, message: Any) -> None:
        """Put `message` into a mailbox. Thread-safe; messages of one sender stay in order."""
        if get_ident() == self.thread:
            cell.receive(message)
        else:
            self.post(cell.receive, message)

    def post(self, function: Callable[..., object], *args: Any, dropped: Callable[[], object] | None = None) -> None:
        """Call `function(*args)` on the loop's thread, without waiting. Thread-safe.

        If the loop is closed, or this is the thread of a process that is killed before the call, `dropped` is called
        instead, on one of the two threads.
        """
        thread = threading.current_thread()
        post = Post(function, args, thread if isinstance(thread, ProcessThread) else None, dropped)
        if post.is_fenced() or self.is_gone():
            post.drop()
            return
        self._posts.append(post)  # a deque is thread-safe, and safe against a finalizer that posts meanwhile
        if not self._posts_are_scheduled:
            self._posts_are_scheduled = True
            try:
                self.loop.call_soon_threadsafe(self._run_posts, context=self.outside)
            except RuntimeError:
                if not self.is_gone():
                    raise
                self._drop_posts()

    def invoke(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function(*args)` on the loop's thread and return the result. Thread-safe; blocks.

        Raises:
            RuntimeError: if the loop is closed before the call.
            BlockingOnLoopError: if this thread runs another loop, which must not block.
            ProcessExit: `KILLED`, if this is the thread of a process that was killed.
        """
        if self.on_thread() or self._has_moved_here():
            return function(*args)
        refuse_to_block("this belongs to another event loop, and must be called there")
        answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put((function(*args), None))
            except BaseException as exception:  # noqa: BLE001  # re-raised on the calling thread
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
        """Return whether no process can reply any more: the loop is closed, or runs in the parent of a fork."""
        return self.loop.is_closed() or self.thread == NO_THREAD

    def check_open(self) -> None:
        """Check that this thread may still wait for a reply.

        Raises:
            RuntimeError: if the loop is closed, or runs in the parent of a fork.
            ProcessExit: `KILLED`, if this is the thread of a process that was killed.
        """
        if self.is_gone():
            self._drop_posts()
            raise self.gone_error()
        thread = threading.current_thread()
        if isinstance(thread, ProcessThread) and thread.is_fenced:
            raise ProcessExit(KILLED)

    def gone_error(self) -> RuntimeError:
        """Return the error for a thread that uses a scheduler whose loop is gone."""
        where = "is closed" if self.loop.is_closed() else "runs in the process that this one was forked from"
        return RuntimeError(f"the event loop {where}")

    def _refusal(self) -> BaseException:
        return self.gone_error() if self.is_gone() else ProcessExit(KILLED)

    def _run_posts(self) -> None:
        self._posts_are_scheduled = False
        posts = self._posts
        for _ in range(len(posts)):
            if not posts:
                return
            post = posts.popleft()
            if post.is_fenced():  # checked again: the fence is set on this thread
                post.drop()
                continue
            try:
                post.function(*post.args)
            except BaseException as exception:  # noqa: BLE001  # reported; the remaining posts still run
                pass_interrupt_on(exception)
                self._report(post.function, exception)
        if posts and not self._posts_are_scheduled:
            self._posts_are_scheduled = True
            self.loop.call_soon(self._run_posts, context=self.outside)

    def _drop_posts(self) -> None:
        while self._posts:
            self._posts.popleft().drop()

    def _report(self, function: Callable[..., object], exception: BaseException) -> None:
        context = {"message": f"{describe(function)} failed", "exception": exception}
        attempt(self.loop.call_exception_handler, context, default=None)

    # Turns.

    def enqueue(self, cell: Cell) -> None:
        """Put a process at the back of the run queue."""
        self._queue.append(cell)
        if not self._pass_is_scheduled:
            self._pass_is_scheduled = True
            self.loop.call_soon(self._run_pass, context=self.outside)

    def _run_pass(self) -> None:
        """Give turns to the processes that were queued when the pass began; those that they wake get the next pass."""
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
                self._pass_is_scheduled = False

    def _timed_turn(self, cell: Cell, clock: Callable[[], float], budget: int) -> None:
        begin = clock()
        cell.turn(budget)
        if self._clock is not None and cell.ref.is_alive():  # a turn of this pass may have stopped the profile
            self.used[cell] = self.used.get(cell, 0.0) + clock() - begin

    # Signals.

    def signal(self, function: Callable[..., object], *args: Any) -> None:
        """Call `function(*args)` at once, or after the signals in progress: a chain of links never recurses.

        A failure is reported to the loop, and the following signals still run.
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
    """The thread of one blocking process, which is fenced when that exits: it cannot be stopped, only ignored.

    Attributes:
        is_fenced: whether its posts are dropped
        pending_ask: the call whose reply it is waiting for
    """

    def __init__(self, scheduler: Scheduler, target: Callable[[], None], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self.scheduler = scheduler
        self.is_fenced = False
        self.pending_ask: Ask | None = None


def _forget_after_fork() -> None:
    """Detach the schedulers in the child of a fork, where the parent's loops do not run.

    Calls to their processes are refused there, and messages are lost.
    """
    for scheduler in Scheduler._of_loop.values():
        scheduler.thread = NO_THREAD
    Scheduler._of_loop = {}
    Scheduler._of_loop_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
