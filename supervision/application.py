"""A supervision tree with a beginning and an end (OTP application): started whole, stopped in order, or on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import signal
from collections.abc import Callable, Mapping
from typing import Any

from actors import (
    KILL,
    SHUTDOWN,
    CallExit,
    Crash,
    Exit,
    ExitReason,
    GenServer,
    Ref,
    StartError,
    Stop,
    down,
    send_exit,
    start,
    stop,
)
from actors.log import get_logger
from supervision.base import Child, begin
from supervision.child_spec import ChildSpec

log = get_logger("canopy.application")


class Application:
    """One tree and what goes with its stop.

    Args:
        root: the specification of the top supervisor
        prepare_stop: called before an orderly stop begins (OTP's `prep_stop/1`)
        start_phases: called by name in this order when the whole tree has started (OTP's `start_phase/3`)
        stopped: called when an orderly stop is over (OTP's `stop/1`)
        env: settings for `get_env`

    The functions may be coroutine functions. `prepare_stop` or `stopped` failing is logged, and the stop goes
    on; a start phase that fails is a start that fails.
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
        self._prepare_stop = prepare_stop
        self._start_phases = dict(start_phases or {})
        self._stopped = stopped
        self.env = dict(env or {})
        self._master: Ref | None = None
        self._ended: asyncio.Future[ExitReason] | None = None

    async def start(self) -> Ref:
        """Start the tree, in order; returns the top supervisor.

        Raises:
            StartError: if a child did not start or a start phase failed; what was started is stopped again.
        """
        self._master = await start(ApplicationMaster, self._spec, label=f"{self._spec.id} master")
        self._ended = down(self._master)
        master = self._master._process
        assert isinstance(master, ApplicationMaster)
        for phase, function in self._start_phases.items():
            log.info("application.start_phase", application=self._spec.id, phase=phase)
            try:
                await _called(function)
            except Exception as exception:  # a start phase that fails is a start that fails (OTP application)
                await self._stop_tree(self._master)
                raise StartError(Crash(exception)) from exception
        log.info("application.started", application=self._spec.id)
        return master.root

    def get_env(self, name: str, default: Any = None) -> Any:
        """A setting, or `default` (OTP's `get_env/3`)."""
        return self.env.get(name, default)

    async def stop(self) -> None:
        """Stop the tree in reverse order, and wait for its end, whatever its reason; `wait` returns that."""
        if self._master is None or not self._master.is_alive():
            return
        log.info("application.stopping", application=self._spec.id)
        await self._attempt("prepare_stop", self._prepare_stop)
        await self._stop_tree(self._master)
        await self._attempt("stopped", self._stopped)
        log.info("application.stopped", application=self._spec.id)

    async def _stop_tree(self, master: Ref) -> None:
        with contextlib.suppress(CallExit):  # killed meanwhile, or failed
            await stop(master, SHUTDOWN)

    async def _attempt(self, what: str, function: Callable[[], object]) -> None:
        try:
            await _called(function)
        except Exception:  # whoever stops the application wants it stopped
            log.exception("application.callback_failed", application=self._spec.id, callback=what)

    async def kill(self) -> None:
        """Be done at once: the tree has no parent any more, and stops behind our back if the loop runs on."""
        if self._master is not None and self._master.is_alive():
            ended = down(self._master)
            send_exit(self._master, KILL)
            await ended

    async def wait(self) -> ExitReason:
        """Wait for the end of a started tree, by whatever cause; returns its reason."""
        assert self._ended is not None, "the application has not been started"
        return await asyncio.shield(self._ended)

    async def run_until_signal(self) -> ExitReason:
        """Wait for the end of a started tree. SIGINT and SIGTERM stop it in order; a second one kills it."""
        loop = asyncio.get_running_loop()
        stopping: list[asyncio.Task[None]] = []

        def on_signal(number: signal.Signals) -> None:
            log.info("application.signal", signal=number.name, again=bool(stopping))
            stopping.append(asyncio.ensure_future(self.kill() if stopping else self.stop()))

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal, number)
        try:
            reason = await self.wait()
            for task in stopping:
                await asyncio.wait((task,))
            return reason
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


async def _called(function: Callable[[], object]) -> None:
    pending = function()
    if inspect.isawaitable(pending):
        await pending


class ApplicationMaster(GenServer):
    """The parent of the top supervisor (OTP's application master): ends with it, and stops it."""

    root: Ref

    async def init(self, spec: ChildSpec) -> Stop | None:
        self.trap_exit = True
        try:
            self.root = await begin(Child(spec))
        except StartError as error:
            return Stop(error.reason)
        return None

    def handle_info(self, message: Any) -> Any:
        """End when the top supervisor has ended by itself."""
        if isinstance(message, Exit) and message.sender is self.root:
            log.error("application.failed", reason=message.reason)
            return Stop(message.reason)
        return super().handle_info(message)

    async def terminate(self, reason: ExitReason) -> None:
        """Stop the tree, with all the time it wants."""
        if self.root.is_alive():
            ended = down(self.root)
            send_exit(self.root, reason)
            await ended
