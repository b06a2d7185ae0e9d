"""The run queue: which process runs next on an event loop, and for how long."""

from __future__ import annotations

import asyncio
import random
import threading
from asyncio import get_running_loop
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from actors.deadlines import Deadlines
from actors.exits import KILLED, ProcessExit
from actors.ref import Ref
from actors.report import KEPT, CrashReport

if TYPE_CHECKING:
    from actors.cell import Cell
    from actors.ref import Target

T = TypeVar("T")
Pick = Callable[["deque[Cell]"], "Cell"]

MESSAGES_PER_TURN = 64
"""After so many messages a process goes to the back of the queue (OTP's reductions)."""
TURNS_PER_PASS = 64
"""After so many turns the event loop gets to its sockets and timers."""


class BlockingOnLoopError(RuntimeError):
    """A blocking wait was asked for on the thread of the event loop, which it would stop for ever."""


class Scheduler:
    """The processes of one event loop: their run queue, their names, and the way in from other threads.

    One per loop, made when it is first asked for with `Scheduler.current()`. All its methods but `post`, `invoke` and
    `deliver` belong to the loop's thread.

    Args:
        loop: the event loop
        pick: takes the next process out of the run queue; the oldest by default
        inline_blocking: run blocking processes on the loop's thread too (for simulations)
        chance: where randomness comes from, for whoever needs some

    Attributes:
        used: seconds that living processes have run since `profile` was switched on
        retired: messages that the dead have taken
        restarts: how often supervisors have started a process in the place of another
        crashed: how many processes have ended by their own mistake
    """

    _of_loop: ClassVar[dict[asyncio.AbstractEventLoop, Scheduler]] = {}

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
        self.deadlines = Deadlines(loop)
        self.crashes: deque[CrashReport] = deque(maxlen=KEPT)
        self.running: Cell | None = None
        self.turns = 0
        self.retired = 0
        self.restarts = 0
        self.crashed = 0
        self.used: dict[Cell, float] = {}
        self.messages_per_turn = MESSAGES_PER_TURN
        self._pick = pick
        self._clock: Callable[[], float] | None = None
        self._queue: deque[Cell] = deque()
        self._pass_is_due = False
        self._last_id = 0
        self.thread = threading.get_ident()
        self._foreign: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._foreign_lock = threading.Lock()
        self._signals: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_signalling = False
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
        """The process that `target` means now, dead or alive, or None for a name that nobody holds."""
        if type(target) is Ref:
            return target
        if isinstance(target, str):
            return self.names.get(target)
        return target if isinstance(target, Ref) else target.whereis()

    # The way in.

    def on_thread(self) -> bool:
        """Tell whether the caller runs on the loop's thread."""
        return threading.get_ident() == self.thread

    def deliver(self, cell: Cell, message: Any) -> None:
        """Put `message` into a mailbox. From any thread; in order for each sender."""
        if threading.get_ident() == self.thread:
            cell.receive(message)
        else:
            self.post(cell.receive, message)

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Have `function(*args)` called on the loop's thread. From any thread; a closed loop drops it.

        What the thread of a process posts that was killed meanwhile goes nowhere.
        """
        thread = threading.current_thread()
        if isinstance(thread, ProcessThread) and thread.is_fenced:
            return
        with self._foreign_lock:
            self._foreign.append((function, args))
            if len(self._foreign) > 1:
                return
        try:
            self.loop.call_soon_threadsafe(self._run_foreign)
        except RuntimeError:
            if not self.loop.is_closed():
                raise
            self._foreign.clear()

    def invoke(self, function: Callable[..., T], *args: Any) -> T:
        """Return `function(*args)`, called on the loop's thread. From any thread; waits.

        Raises:
            RuntimeError: if the loop is closed.
        """
        if self.on_thread():
            return function(*args)
        thread = threading.current_thread()
        if isinstance(thread, ProcessThread) and thread.is_fenced:
            raise ProcessExit(KILLED)
        if self.loop.is_closed():
            raise RuntimeError("the event loop is closed")
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(function(*args))
            except BaseException as exception:  # noqa: BLE001  # it belongs to the thread that asked
                answer.set_exception(exception)

        self.post(run)
        return answer.result()

    def _run_foreign(self) -> None:
        with self._foreign_lock:
            batch, self._foreign = self._foreign, []
        for function, args in batch:
            try:
                function(*args)
            except Exception as exception:  # noqa: BLE001  # its mistake; what others posted is served all the same
                self.loop.call_exception_handler({"message": f"{function!r} failed", "exception": exception})

    # Turns.

    def enqueue(self, cell: Cell) -> None:
        """Give a process a turn after those who wait already."""
        self._queue.append(cell)
        if not self._pass_is_due:
            self._pass_is_due = True
            self.loop.call_soon(self._run_pass)

    def _run_pass(self) -> None:
        """Give turns to those who waited when the pass began; whoever they wake waits for the next pass."""
        queue, pick, budget = self._queue, self._pick, self.messages_per_turn
        turns = min(len(queue), TURNS_PER_PASS)
        try:
            if self._clock is not None:
                self._give_timed_turns(turns, self._clock)
            else:
                for _ in range(turns):
                    cell = queue.popleft() if pick is None else pick(queue)
                    self.running = cell
                    cell.turn(budget)
        finally:
            self.running = None
            self.turns += turns
            if queue:
                self.loop.call_soon(self._run_pass)
            else:
                self._pass_is_due = False

    def _give_timed_turns(self, turns: int, clock: Callable[[], float]) -> None:
        queue, pick, used = self._queue, self._pick, self.used
        begin = clock()
        for _ in range(turns):
            self.running = cell = queue.popleft() if pick is None else pick(queue)
            cell.turn(self.messages_per_turn)
            end = clock()
            if cell.ref.is_alive():
                used[cell] = used.get(cell, 0.0) + end - begin
            begin = end

    # Signals.

    def signal(self, function: Callable[..., object], *args: Any) -> None:
        """Call `function(*args)` at once, or after the signals that are under way: a chain of links never recurses."""
        self._signals.append((function, args))
        if self._is_signalling:
            return
        self._is_signalling = True
        try:
            while self._signals:
                function, args = self._signals.popleft()
                function(*args)
        finally:
            self._is_signalling = False


class ProcessThread(threading.Thread):
    """The thread of one blocking process. Fenced when its process is killed: it cannot be stopped, only ignored."""

    def __init__(self, scheduler: Scheduler, target: Callable[[], None], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self.scheduler = scheduler
        self.is_fenced = False
