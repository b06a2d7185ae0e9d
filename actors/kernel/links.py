"""Links, monitors, watchers and exit signals: which exits a process is notified of, and who is notified of its exit.

A `Peer` is a process as one end of these ties. It manages only the ties; turns and callbacks, and what a signal or a
message does to the process, are its `Cell`'s. Everything runs on the thread of the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from actors.exits import KILL, KILLED, NOPROC, NORMAL, ExitReason, is_atom
from actors.failures import ProcessExit, describe_exception
from actors.guard import attempt
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import Monitor, Ref, Target
from actors.kernel.signals import Down, Exit, Watcher
from actors.log import get_logger

if TYPE_CHECKING:
    from actors.kernel.call import Call
    from actors.kernel.scheduler import Scheduler

log = get_logger("canopy.actors")


class ScheduledMessage(Protocol):
    """A scheduled message: a `timers.Timer`."""

    def drop(self) -> None:
        """Cancel and release it."""
        ...


class Peer:
    """One end of links and monitors. A dead process that is still cleaning up can create neither.

    Attributes:
        mailbox: its messages, including those from links and monitors
        trap_exit: whether exit signals arrive as `Exit` messages
        links: the processes that it is linked to
        monitors: its own monitors, with the processes that they watch
        monitored_by: monitors on this process, with their owners
        watchers: functions to call on exit, by the tokens that end a watch
        callers: calls that wait for a reply from this process
        timers: timers whose message is for this process
    """

    __slots__ = (
        "callers",
        "links",
        "mailbox",
        "monitored_by",
        "monitors",
        "ref",
        "scheduler",
        "timers",
        "trap_exit",
        "watchers",
    )

    ref: Ref

    def __init__(self, scheduler: Scheduler, mailbox: Mailbox) -> None:
        self.scheduler = scheduler
        self.mailbox = mailbox
        self.trap_exit = False
        # Created when needed, as most processes have few. Dicts, so that their order is the same in each run of a seed.
        self.links: dict[Peer, None] | None = None
        self.monitors: dict[Monitor, Peer] | None = None
        self.monitored_by: dict[Monitor, Peer] | None = None
        self.watchers: dict[object, Watcher] | None = None
        self.callers: dict[Call, None] | None = None
        self.timers: dict[ScheduledMessage, None] | None = None

    def __str__(self) -> str:
        return repr(self.ref)

    # Implemented by `Cell`.

    def receive(self, message: Any) -> None:
        """Put `message` into the mailbox, and give an idle process a turn."""
        raise NotImplementedError

    def exit_now(self, reason: ExitReason) -> None:
        """Die without `terminate`."""
        raise NotImplementedError

    # Links.

    def link(self, target: Target) -> None:
        """See `Process.link`."""
        ref = self.scheduler.whereis(target)
        peer = None if ref is None else ref._cell
        if self.ref._cell is None:
            return
        if peer is None:
            if not self.trap_exit:
                raise ProcessExit(NOPROC)
            self.receive(Exit(ref, NOPROC))
        elif peer is not self:
            self._check_loop(peer)
            self.add_link(peer)

    def unlink(self, target: Target) -> None:
        """See `Process.unlink`."""
        ref = self.scheduler.whereis(target)
        if ref is not None and ref._cell is not None:
            self.remove_link(ref._cell)

    def add_link(self, peer: Peer) -> None:
        """Link two living processes."""
        for one, other in ((self, peer), (peer, self)):
            if one.links is None:
                one.links = {}
            one.links[other] = None

    def remove_link(self, peer: Peer) -> None:
        """Unlink two processes."""
        for one, other in ((self, peer), (peer, self)):
            if one.links is not None:
                one.links.pop(other, None)

    def exit_signal(self, sender: Ref | None, reason: ExitReason, is_link: bool) -> None:
        """Die of an exit signal, receive it as a message, or ignore it (Erlang processes: receiving exit signals).

        `kill` is special only if it was sent with `send_exit`: through a link it is a reason like any other.
        """
        if self.ref._cell is None:
            return
        if not is_link and is_atom(reason, KILL):
            self.exit_now(KILLED)
        elif self.trap_exit:
            self.receive(Exit(sender, reason))
        elif sender is self.ref or not is_atom(reason, NORMAL):
            self.exit_now(reason)

    # Monitors and watchers.

    def monitor(self, target: Target) -> Monitor:
        """See `Process.monitor`."""
        monitor = Monitor(self.ref, target)
        ref = self.scheduler.whereis(target)
        watched = None if ref is None else ref._cell
        if self.ref._cell is None:
            return monitor
        if watched is None:
            self.receive(Down(monitor, target, NOPROC))
            return monitor
        self._check_loop(watched)
        if watched.monitored_by is None:
            watched.monitored_by = {}
        watched.monitored_by[monitor] = self
        if self.monitors is None:
            self.monitors = {}
        self.monitors[monitor] = watched
        return monitor

    def demonitor(self, monitor: Monitor, flush: bool) -> None:
        """See `Process.demonitor`."""
        watched = self.monitors.pop(monitor, None) if self.monitors else None
        if watched is not None and watched.monitored_by is not None:
            watched.monitored_by.pop(monitor, None)
        elif flush:
            self.mailbox.remove(lambda message: isinstance(message, Down) and message.monitor is monitor)

    def watch(self, token: object, watcher: Watcher) -> None:
        """See `system.watch`; pass `token` to `unwatch` to end it."""
        if self.watchers is None:
            self.watchers = {}
        self.watchers[token] = watcher

    def unwatch(self, token: object) -> None:
        """End a watch."""
        if self.watchers is not None:
            self.watchers.pop(token, None)

    def _check_loop(self, peer: Peer) -> None:
        if peer.scheduler is not self.scheduler:
            raise ValueError(
                f"{peer} lives on another event loop: processes of two loops cannot be linked or monitored; use `down`"
            )

    # Timers.

    def add_timer(self, timer: ScheduledMessage) -> None:
        """Add a timer, to drop when this process exits."""
        if self.timers is None:
            self.timers = {}
        self.timers[timer] = None

    def remove_timer(self, timer: ScheduledMessage) -> None:
        """Remove a timer that has fired or was cancelled."""
        if self.timers is not None:
            self.timers.pop(timer, None)

    # Exit.

    def drop_timers(self) -> None:
        """Cancel the timers whose messages are for this process."""
        timers, self.timers = self.timers, None
        for timer in timers or ():
            timer.drop()

    def notify_exit(self, reason: ExitReason) -> None:
        """Notify callers, links, monitors and watchers, in this order, of the exit of this process; remove all ties."""
        signal, ref = self.scheduler.signal, self.ref
        for call in self.callers or ():
            call.reject(reason)
        for peer in self.links or ():
            if peer.links is not None:
                peer.links.pop(self, None)
            signal(peer.exit_signal, ref, reason, True)
        for monitor, watcher in (self.monitored_by or {}).items():
            if watcher.monitors is not None:
                watcher.monitors.pop(monitor, None)
            watcher.receive(Down(monitor, monitor.target, reason))
        for monitor, watched in (self.monitors or {}).items():
            if watched.monitored_by is not None:
                watched.monitored_by.pop(monitor, None)
        while self.watchers:  # a watcher may end its own watch or that of another
            watch = self.watchers.pop(next(iter(self.watchers)))
            attempt(watch, ref, reason, default=None, on_failure=self._watcher_failed)
        self.links = self.monitored_by = self.monitors = self.watchers = self.callers = None

    def _watcher_failed(self, exception: BaseException) -> None:
        log.error("actor.watcher_failed", actor=str(self), error=describe_exception(exception))
