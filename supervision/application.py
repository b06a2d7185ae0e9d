"""No process. An application starts a supervision tree as a whole and stops it in order (OTP application)."""

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

ORPHAN_TIMEOUT: Final = 5.0
"""Seconds that processes get to end after their supervisor has died; the same as the default `shutdown` of a child."""


class State(enum.Enum):
    """The state of an application.

    `start` leads from NEW or ENDED through STARTING to RUNNING, or back to ENDED if it fails. `stop` leads from
    STARTING or RUNNING through STOPPING to ENDED, and so does the end of the top supervisor. `kill` works in all of
    them.
    """

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class ApplicationFailed(PortableException):
    """An application failed: its tree gave up, or the top supervisor crashed or was killed.

    Attributes:
        id: of the top supervisor
        reason: the exit reason of the top supervisor
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
    """A supervision tree, with callbacks for its start and stop.

    Args:
        root: the specification of the top supervisor
        prepare_stop: called before an orderly stop begins (OTP's `prep_stop/1`)
        start_phases: callbacks by name, called in this order after the whole tree has started (OTP's `start_phase/3`)
        stopped: called after an orderly stop (OTP's `stop/1`)
        env: settings for `get_env`

    The callbacks may be coroutine functions, but must not wait for `stop` or `wait`. An exception in `prepare_stop` or
    `stopped` is logged, and the stop continues. An exception in a start phase fails the start. A kill waits for no
    callback. Neither `prepare_stop` nor `stopped` is called if the start failed or the tree ended by itself.

    The resources of the tree (`ChildSpec.resources`), such as the sockets of a `server`, are prepared for an orderly
    stop after `prepare_stop`, and closed at every end, even if the start failed. Closed sockets cannot be opened again:
    the next start of such an application fails, so create a new one.
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
        # Of the current run, or the last one.
        self._master: Ref | None = None
        self._reason: ExitReason = None
        self._is_end_requested = False
        self._tree: set[Ref] = set()
        self._work: asyncio.Task[Any] | None = None
        self._running_callback: asyncio.Task[BaseException | None] | None = None
        self._unprepared: tuple[Resource, ...] = ()
        self._killed: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[ExitReason] | None = None

    def get_env(self, name: str, default: Any = None) -> Any:
        """Return a setting, or `default` (OTP's `get_env/3`)."""
        return self.env.get(name, default)

    async def start(self) -> Ref:
        """Start the tree in order; returns the top supervisor.

        Cancelling the call stops the application as `stop` does. Cancelling it again kills the application.

        Raises:
            StartError: if a child or a start phase failed, or `stop` or `kill` was called meanwhile. No process of the
                tree is left.
            Ignored: if the top supervisor declined to start.
            RuntimeError: if the application has been started and has not ended.
        """
        if self._state not in (State.NEW, State.ENDED):
            raise RuntimeError(f"the application {self._spec.id!r} is {self._state.value} and cannot be started")
        self._master = await start(ApplicationMaster, label=f"{self._spec.id} master")
        loop = asyncio.get_running_loop()
        self._state = State.STARTING
        self._tree = {self._master}
        self._is_end_requested = False
        self._unprepared = self._resources
        self._killed = loop.create_future()
        self._ended = loop.create_future()
        watch(self._master, self._on_master_down)
        self._work = starting = loop.create_task(self._start(self._master))
        try:
            await asyncio.wait((starting,))
        except asyncio.CancelledError:
            await self._stop_cancelled_start()
            raise
        answer = starting.result()
        if isinstance(answer, Ref):
            return answer
        raise answer

    async def stop(self) -> None:
        """Stop the tree in reverse order and wait for its end. `wait` returns the reason.

        Concurrent calls share one stop. During a start, `stop` kills the processes that are still starting, and their
        supervisors stop the others in order. Cancelling the call does not cancel the stop; `kill` cuts it short.
        """
        self._begin_stop()
        await self._wait_until_ended()

    async def kill(self) -> None:
        """Kill every process of the tree, without waiting for any callback; wait for the end."""
        self._begin_kill()
        await self._wait_until_ended()

    async def wait(self) -> ExitReason:
        """Wait for the end of a started application, whatever the cause; returns the reason.

        The reason is that of the top supervisor, `KILLED` after a kill, or that of a failed start. When `wait` returns,
        no process of the tree is left.
        """
        assert self._ended is not None, "the application has not been started"
        return await asyncio.shield(self._ended)

    async def run_until_signal(self) -> ExitReason:
        """Wait as `wait` does. SIGINT or SIGTERM stops the application in order; a second signal kills it.

        Restores the previous handlers of these signals at the end; see `Signals`.

        Raises:
            ApplicationFailed: if the application failed. Uncaught, it ends the program with exit code 1.
            RuntimeError: outside the main thread, where Python delivers no signals.
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
        if not self._is_end_requested and not _is_orderly(reason):
            raise ApplicationFailed(self._spec.id, reason) from exception_in(reason)
        return reason

    # Requests from outside.

    def _begin_stop(self) -> None:
        if self._state is State.STARTING:
            self._state = State.STOPPING
            self._is_end_requested = True
            self._prepare_resources()
            self._interrupt_start()
        elif self._state is State.RUNNING:
            self._is_end_requested = True
            self._begin_end()

    def _begin_end(self) -> None:
        assert self._master is not None
        assert self._ended is not None
        self._state = State.STOPPING
        loop = self._ended.get_loop()  # it may not be running any more
        self._work = loop.create_task(self._stop_or_clean_up(self._master))

    def _begin_kill(self) -> None:
        if self._killed is None or self._state is State.ENDED:
            return
        self._is_end_requested |= self._state is not State.STOPPING
        if not self._killed.done():
            self._killed.set_result(None)
        if self._running_callback is not None:
            self._running_callback.cancel()
        for process in self._tree_processes():
            send_exit(process.ref, KILL)

    async def _wait_until_ended(self) -> None:
        if self._ended is not None:
            await asyncio.wait((self._ended,))

    async def _stop_cancelled_start(self) -> None:
        try:
            await self.stop()
        except asyncio.CancelledError:
            await self.kill()
            raise

    def _interrupt_start(self) -> None:
        """Fail the start where it is: in a start phase, or in the `init` of a process that is starting."""
        if self._running_callback is not None:
            self._running_callback.cancel()
            return
        tree = self._tree_processes()
        starting = [process for process in tree if process.is_starting()]
        supervisors = {process.parent for process in starting}
        for process in starting:
            if process.ref not in supervisors:
                send_exit(process.ref, KILL)
        if len(tree) == 1:  # the top supervisor does not exist yet
            send_exit(tree[0].ref, KILL)

    def _tree_processes(self) -> list[ProcessView]:
        """Return the processes of the tree in start order, including those whose supervisor has died."""
        processes = list(process_table().values())
        for process in processes:
            if process.parent in self._tree:
                self._tree.add(process.ref)
        return [process for process in processes if process.ref in self._tree]

    # The work of each state.

    async def _start(self, master: Ref) -> Ref | Exception:
        """Start the tree and run the start phases. If that fails, stop the tree and return the failure."""
        try:
            root = await self._start_tree(master)
            failure = await self._run_phases(master) if isinstance(root, Ref) else root
            if self._state is State.STOPPING:
                failure = StartError(SHUTDOWN)
            elif not master.is_alive():
                failure = StartError(self._reason)
            if failure is None:
                self._state = State.RUNNING
                log.info("application.started", application=self._spec.id)
                return root
            await self._stop_tree(master)
        except asyncio.CancelledError:  # the loop is shutting down
            self._begin_kill()
            failure = StartError(KILLED)
        self._finish(failure.reason if isinstance(failure, StartError) else NORMAL)
        return failure

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
            exception = await self._run_callback(function)
            if exception is not None:  # a failed start phase fails the start (OTP application)
                failure = StartError(Crash(exception))
                failure.__cause__ = exception
                return failure
        return None

    async def _stop_or_clean_up(self, master: Ref) -> None:
        """Stop the tree in order, or clean up after a tree that ended by itself."""
        try:
            if self._is_end_requested:
                log.info("application.stopping", application=self._spec.id)
                await self._run_stop_callback("prepare_stop", self._prepare_stop)
                await self._stop_tree(master)
                await self._run_stop_callback("stopped", self._stopped)
                log.info("application.stopped", application=self._spec.id)
            else:
                await self._wait_for_orphans()
        except asyncio.CancelledError:  # the loop is shutting down
            self._begin_kill()
        self._finish(self._reason)

    async def _stop_tree(self, master: Ref) -> None:
        self._prepare_resources()
        with contextlib.suppress(CallExit):  # it was killed or failed meanwhile
            await stop(master, SHUTDOWN)
        await self._wait_for_orphans()

    async def _wait_for_orphans(self) -> None:
        """Wait for the processes whose supervisors died first; kill those left after `ORPHAN_TIMEOUT`."""
        orphans = self._tree_processes()
        if orphans:
            await asyncio.wait([down(process.ref) for process in orphans], timeout=ORPHAN_TIMEOUT)
            for process in self._tree_processes():
                send_exit(process.ref, KILL)

    def _on_master_down(self, master: Ref, reason: ExitReason) -> None:
        self._reason = reason
        if self._state is State.RUNNING:
            self._begin_end()
            write, event = (log.info, "application.ended") if _is_orderly(reason) else (log.error, "application.failed")
            write(event, application=self._spec.id, reason=reason)
        elif self._state is State.STARTING and self._running_callback is not None:
            self._running_callback.cancel()

    def _finish(self, reason: ExitReason) -> None:
        assert self._ended is not None
        assert self._killed is not None
        for resource in reversed(self._resources):
            self._call_resource(resource.close, f"{class_name(type(resource))}.close")
        self._state = State.ENDED
        self._work = None
        self._ended.set_result(KILLED if self._killed.done() and self._is_end_requested else reason)

    def _prepare_resources(self) -> None:
        """Prepare the resources for the stop, once per start, unless this is a kill."""
        assert self._killed is not None
        resources, self._unprepared = () if self._killed.done() else self._unprepared, ()
        for resource in resources:
            self._call_resource(resource.prepare_stop, f"{class_name(type(resource))}.prepare_stop")

    def _call_resource(self, function: Callable[[], object], callback_name: str) -> None:
        """Call a method of a resource. If it raises, log that and go on with the stop."""
        attempt(function, default=None, on_failure=partial(self._log_failure, callback_name))

    async def _run_stop_callback(self, callback_name: str, function: Callable[[], object]) -> None:
        """Run `prepare_stop` or `stopped`, unless this is a kill. If it raises, log that and go on with the stop."""
        assert self._killed is not None
        if self._killed.done():
            return
        exception = await self._run_callback(function)
        if exception is not None and not self._killed.done():
            self._log_failure(callback_name, exception)

    def _log_failure(self, callback_name: str, exception: BaseException) -> None:
        trace = describe_stacktrace(exception)
        log.error("application.callback_failed", application=self._spec.id, callback=callback_name, exception=trace)

    async def _run_callback(self, function: Callable[[], object]) -> BaseException | None:
        """Run a callback, and wait for its end or for a kill; returns what it raised."""
        self._running_callback = callback = asyncio.ensure_future(_outcome(function))
        assert self._killed is not None
        await asyncio.wait((callback, self._killed), return_when=asyncio.FIRST_COMPLETED)
        self._running_callback = None
        return callback.result() if callback.done() and not callback.cancelled() else asyncio.CancelledError()


def _is_orderly(reason: ExitReason) -> bool:
    return is_clean(reason) and not _has_given_up(reason)


def _has_given_up(reason: ExitReason) -> bool:
    # Compare strings only: the `__eq__` of a user's class may raise.
    return isinstance(reason, Shutdown) and isinstance(reason.detail, str) and reason == GAVE_UP


async def _outcome(function: Callable[[], object]) -> BaseException | None:
    """Call `function` and await its result; returns what it raised."""
    try:
        pending = function()
        if inspect.isawaitable(pending):
            await pending
    except BaseException as exception:  # noqa: BLE001  # SystemExit in a task would stop the loop
        pass_interrupt_on(exception)
        return exception
    return None
