"""A supervision tree with a beginning and an end (OTP application): started whole, stopped in order, or on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import inspect
import signal
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from actors import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    CallExit,
    Crash,
    ExitReason,
    Ref,
    Shutdown,
    StartError,
    call,
    down,
    is_clean,
    send_exit,
    start,
    stop,
    watch,
)
from actors.anatomy import class_name
from actors.debug import ProcessView, process_table
from actors.failures import describe_reason, exception_in
from actors.guard import attempt, pass_interrupt_on
from actors.log import get_logger
from actors.portable import PortableException
from actors.stacktrace import describe_stacktrace
from supervision.application_master import ApplicationMaster, StartTree
from supervision.child_spec import ChildId, ChildSpec, Resource, resources_of
from supervision.signals import Signals
from supervision.strategy import GAVE_UP

log = get_logger("canopy.application")

LEFTOVERS: Final = 5.0
"""Seconds that processes have to end whose supervisor died before them: as long as a child has by default."""


class State(enum.Enum):
    """How far an application has come.

    `start` leads from NEW or ENDED through STARTING to RUNNING, and back to ENDED if it fails. `stop` leads from
    STARTING or RUNNING through STOPPING to ENDED, and so does the end of the top supervisor. `kill` ends any state.
    """

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class ApplicationFailed(PortableException):
    """An application ended by itself, and not in order: its tree gave up, or the top supervisor crashed or was killed.

    Attributes:
        reason: that of the top supervisor
    """

    def __init__(self, id: ChildId, reason: ExitReason) -> None:
        super().__init__(id, reason)
        self.id = id
        self.reason = reason

    def __str__(self) -> str:
        if _has_given_up(self.reason):
            return f"the application {self.id} gave up: its processes failed too often"
        return f"the application {self.id} ended by itself: {describe_reason(self.reason)}"


class Application:
    """One tree and what goes with its stop.

    Args:
        root: the specification of the top supervisor
        prepare_stop: called before an orderly stop begins (OTP's `prep_stop/1`)
        start_phases: called by name in this order when the whole tree has started (OTP's `start_phase/3`)
        stopped: called when an orderly stop is over (OTP's `stop/1`)
        env: settings for `get_env`

    The functions may be coroutine functions; they may not wait for `stop` or `wait`. Whatever `prepare_stop` or
    `stopped` raises is logged, and the stop goes on; a start phase that raises is a start that fails. A kill does not
    wait for any of them. Neither `prepare_stop` nor `stopped` is called for a start that failed or a tree that ended by
    itself.

    The resources of the tree (`ChildSpec.resources`), such as the sockets of a `server`, are prepared for an orderly
    stop after `prepare_stop`, and closed at every end, also that of a start that failed. Sockets cannot be opened
    again: then the next start fails, and a new application is needed.
    """

    def __init__(
        self,
        root: ChildSpec,
        *,
        prepare_stop: Callable[[], object] = lambda: None,
        start_phases: Mapping[str, Callable[[], object]] | None = None,
        stopped: Callable[[], object] = lambda: None,
        env: Mapping[str, Any] | None = None,
    ) -> None:
        self._spec = root
        self._resources = resources_of(root)
        self._prepare_stop = prepare_stop
        self._start_phases = dict(start_phases or {})
        self._stopped = stopped
        self.env = dict(env or {})
        self._state = State.NEW
        # Of the present life, or the last one.
        self._master: Ref | None = None
        self._reason: ExitReason = None
        self._is_end_asked_for = False
        self._tree: set[Ref] = set()
        self._work: asyncio.Task[Any] | None = None
        self._callback: asyncio.Task[BaseException | None] | None = None
        self._unprepared: tuple[Resource, ...] = ()
        self._killed: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[ExitReason] | None = None

    def get_env(self, name: str, default: Any = None) -> Any:
        """A setting, or `default` (OTP's `get_env/3`)."""
        return self.env.get(name, default)

    async def start(self) -> Ref:
        """Start the tree, in order; returns the top supervisor.

        If it is cancelled, the application stops, as by `stop`; cancelled once more, it is killed.

        Raises:
            StartError: if a child did not start, a start phase failed, or `stop` or `kill` came meanwhile; nothing of
                the tree is left.
            Ignored: if the top supervisor declined to start.
            RuntimeError: if the application has been started and has not ended; nothing is done.
        """
        if self._state not in (State.NEW, State.ENDED):
            raise RuntimeError(f"the application {self._spec.id!r} is {self._state.value} and cannot be started")
        self._master = await start(ApplicationMaster, label=f"{self._spec.id} master")
        loop = asyncio.get_running_loop()
        self._state = State.STARTING
        self._tree = {self._master}
        self._is_end_asked_for = False
        self._unprepared = self._resources
        self._killed = loop.create_future()
        self._ended = loop.create_future()
        watch(self._master, self._master_ended)
        self._work = starting = loop.create_task(self._start(self._master))
        try:
            await asyncio.wait((starting,))
        except asyncio.CancelledError:
            await self._give_up_start()
            raise
        answer = starting.result()
        if isinstance(answer, Ref):
            return answer
        raise answer

    async def stop(self) -> None:
        """Stop the tree in reverse order, and wait for its end, whatever its reason; `wait` returns that.

        Several stops at a time are one. During a start, what has not started yet is killed, and its supervisors stop
        the rest in order. A stop that is cancelled goes on; `kill` ends it.
        """
        self._begin_stop()
        await self._gone()

    async def kill(self) -> None:
        """Kill every process of the tree, and wait for no function of the application."""
        self._begin_kill()
        await self._gone()

    async def wait(self) -> ExitReason:
        """Wait for the end of a started application, by whatever cause; returns its reason.

        That is the reason of the top supervisor, `KILLED` after a kill, or what the start failed with. No process of
        the tree is left then.
        """
        assert self._ended is not None, "the application has not been started"
        return await asyncio.shield(self._ended)

    async def run_until_signal(self) -> ExitReason:
        """Wait as `wait` does. SIGINT or SIGTERM stop the application in order; a second one kills it.

        The handlers of these signals that were there before are back afterwards; see `Signals`.

        Raises:
            ApplicationFailed: if the application ended by itself, and not in order. Not caught, it ends the program
                with exit code 1.
            RuntimeError: off the main thread, where Python delivers no signals.
        """
        signals: list[signal.Signals] = []

        def on_signal(number: signal.Signals) -> None:
            log.info("application.signal", application=self._spec.id, signal=number.name, again=bool(signals))
            if signals:
                self._begin_kill()
            else:
                self._begin_stop()
            signals.append(number)

        with Signals(on_signal):
            reason = await self.wait()
        if not self._is_end_asked_for and not _is_orderly(reason):
            raise ApplicationFailed(self._spec.id, reason) from exception_in(reason)
        return reason

    # Asked for from outside.

    def _begin_stop(self) -> None:
        if self._state is State.STARTING:
            self._state = State.STOPPING
            self._is_end_asked_for = True
            self._prepare_resources()
            self._interrupt_start()
        elif self._state is State.RUNNING:
            self._is_end_asked_for = True
            self._begin_end()

    def _begin_end(self) -> None:
        assert self._master is not None
        assert self._ended is not None
        self._state = State.STOPPING
        self._work = self._ended.get_loop().create_task(self._end(self._master))  # the loop may have ended its run

    def _begin_kill(self) -> None:
        if self._killed is None or self._state is State.ENDED:
            return
        self._is_end_asked_for |= self._state is not State.STOPPING
        if not self._killed.done():
            self._killed.set_result(None)
        if self._callback is not None:
            self._callback.cancel()
        for process in self._living():
            send_exit(process.ref, KILL)

    async def _gone(self) -> None:
        if self._ended is not None:
            await asyncio.wait((self._ended,))

    async def _give_up_start(self) -> None:
        try:
            await self.stop()
        except asyncio.CancelledError:
            await self.kill()
            raise

    def _interrupt_start(self) -> None:
        """Let the start fail where it is: in a start phase, or in the `init` of a process that has not started."""
        if self._callback is not None:
            self._callback.cancel()
            return
        tree = self._living()
        starting = [process for process in tree if process.is_starting()]
        supervisors = {process.parent for process in starting}
        for process in starting:
            if process.ref not in supervisors:
                send_exit(process.ref, KILL)
        if len(tree) == 1:  # the top supervisor does not even exist
            send_exit(tree[0].ref, KILL)

    def _living(self) -> list[ProcessView]:
        """The processes of the tree, in the order of their start, those included whose supervisor died before them."""
        processes = list(process_table().values())
        for process in processes:
            if process.parent in self._tree:
                self._tree.add(process.ref)
        return [process for process in processes if process.ref in self._tree]

    # The work of each state.

    async def _start(self, master: Ref) -> Ref | Exception:
        """Start the tree and run the phases; if that fails, leave nothing of it."""
        try:
            root = await self._start_tree(master)
            refusal = await self._run_phases(master) if isinstance(root, Ref) else root
            if self._state is State.STOPPING:
                refusal = StartError(SHUTDOWN)
            elif not master.is_alive():
                refusal = StartError(self._reason)
            if refusal is None:
                self._state = State.RUNNING
                log.info("application.started", application=self._spec.id)
                return root
            await self._stop_tree(master)
        except asyncio.CancelledError:  # the loop shuts down
            self._begin_kill()
            refusal = StartError(KILLED)
        self._finish(refusal.reason if isinstance(refusal, StartError) else NORMAL)
        return refusal

    async def _start_tree(self, master: Ref) -> Ref | Exception:
        try:
            answer: Ref | Exception = await call(master, StartTree(self._spec), timeout=None)
        except CallExit as failure:
            return StartError(failure.reason)
        if isinstance(answer, Ref):
            self._tree.add(answer)
        return answer

    async def _run_phases(self, master: Ref) -> StartError | None:
        for phase, function in self._start_phases.items():
            if self._state is not State.STARTING or not master.is_alive():
                return None
            log.info("application.start_phase", application=self._spec.id, phase=phase)
            exception = await self._call(function)
            if exception is not None:  # a start phase that fails is a start that fails (OTP application)
                refusal = StartError(Crash(exception))
                refusal.__cause__ = exception
                return refusal
        return None

    async def _end(self, master: Ref) -> None:
        """Stop the tree in order, or see to the rest of one that has ended by itself."""
        try:
            if self._is_end_asked_for:
                log.info("application.stopping", application=self._spec.id)
                await self._attempt("prepare_stop", self._prepare_stop)
                await self._stop_tree(master)
                await self._attempt("stopped", self._stopped)
                log.info("application.stopped", application=self._spec.id)
            else:
                await self._clear()
        except asyncio.CancelledError:  # the loop shuts down
            self._begin_kill()
        self._finish(self._reason)

    async def _stop_tree(self, master: Ref) -> None:
        self._prepare_resources()
        with contextlib.suppress(CallExit):  # killed meanwhile, or failed
            await stop(master, SHUTDOWN)
        await self._clear()

    async def _clear(self) -> None:
        """Wait for what supervisors that died before their children have left of the tree; kill what takes long."""
        left = self._living()
        if left:
            await asyncio.wait([down(process.ref) for process in left], timeout=LEFTOVERS)
            for process in self._living():
                send_exit(process.ref, KILL)

    def _master_ended(self, master: Ref, reason: ExitReason) -> None:
        self._reason = reason
        if self._state is State.RUNNING:
            self._begin_end()
            write, event = (log.info, "application.ended") if _is_orderly(reason) else (log.error, "application.failed")
            write(event, application=self._spec.id, reason=reason)
        elif self._state is State.STARTING and self._callback is not None:
            self._callback.cancel()

    def _finish(self, reason: ExitReason) -> None:
        assert self._ended is not None
        assert self._killed is not None
        for resource in reversed(self._resources):
            self._release(resource.close, f"{class_name(type(resource))}.close")
        self._state = State.ENDED
        self._work = None
        self._ended.set_result(KILLED if self._killed.done() and self._is_end_asked_for else reason)

    def _prepare_resources(self) -> None:
        """Get the resources ready for the stop, unless this is a kill; once for each start."""
        assert self._killed is not None
        resources, self._unprepared = () if self._killed.done() else self._unprepared, ()
        for resource in resources:
            self._release(resource.prepare_stop, f"{class_name(type(resource))}.prepare_stop")

    def _release(self, function: Callable[[], object], what: str) -> None:
        """Call a function of a resource; the stop goes on whatever it raises."""
        attempt(function, default=None, on_failure=partial(self._log_failure, what))

    async def _attempt(self, what: str, function: Callable[[], object]) -> None:
        """Call a function of the application, unless this is a kill; the stop goes on whatever it raises."""
        assert self._killed is not None
        if self._killed.done():
            return
        exception = await self._call(function)
        if exception is not None and not self._killed.done():
            self._log_failure(what, exception)

    def _log_failure(self, what: str, exception: BaseException) -> None:
        trace = describe_stacktrace(exception)
        log.error("application.callback_failed", application=self._spec.id, callback=what, exception=trace)

    async def _call(self, function: Callable[[], object]) -> BaseException | None:
        """Call a function of the application, and wait for its end or for a kill; returns what it raised."""
        self._callback = callback = asyncio.ensure_future(_outcome(function))
        assert self._killed is not None
        await asyncio.wait((callback, self._killed), return_when=asyncio.FIRST_COMPLETED)
        self._callback = None
        return callback.result() if callback.done() and not callback.cancelled() else asyncio.CancelledError()


def _is_orderly(reason: ExitReason) -> bool:
    return is_clean(reason) and not _has_given_up(reason)


def _has_given_up(reason: ExitReason) -> bool:
    # Only strings are compared: those of a user's own class may raise.
    return isinstance(reason, Shutdown) and isinstance(reason.detail, str) and reason == GAVE_UP


async def _outcome(function: Callable[[], object]) -> BaseException | None:
    """Call `function`, and await what it returns; returns what it raised."""
    try:
        pending = function()
        if inspect.isawaitable(pending):
            await pending
    except BaseException as exception:  # noqa: BLE001  # SystemExit in a task would stop the loop
        pass_interrupt_on(exception)
        return exception
    return None
