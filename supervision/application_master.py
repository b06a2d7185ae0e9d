"""One process per application: the parent of its top supervisor (OTP's application master)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actors import Call, Exit, ExitReason, GenServer, Ignored, Ref, StartError, Stop, down, send_exit
from actors.describe import describe
from actors.log import get_logger
from supervision.base import Child, begin
from supervision.child_spec import ChildSpec
from supervision.requests import UNKNOWN_REQUEST, Refused

log = get_logger("canopy.application")


@dataclass(frozen=True, slots=True)
class StartTree:
    """Asks the master to start the tree. The reply is the top supervisor, or the exception of its start."""

    root: ChildSpec


class ApplicationMaster(GenServer):
    """Starts and stops the top supervisor, and ends when it ends.

    No client and no child can crash it: it logs or refuses unknown messages.
    """

    def init(self) -> None:
        self.trap_exit = True
        self.root: Ref | None = None

    async def handle_call(self, request: Any, from_: Call) -> Any:
        if type(request) is not StartTree or self.root is not None:
            return self._refused(request)
        try:
            self.root = await begin(Child(request.root))
        except (StartError, Ignored) as refusal:
            return refusal
        return self.root

    def handle_cast(self, request: Any) -> None:
        """Refuse it: only a client can have sent it."""
        self._refused(request)

    def handle_continue(self, argument: Any) -> None:
        """Refuse it: only a client can have sent it."""
        self._refused(argument)

    def handle_info(self, message: Any) -> Any:
        """Stop when the top supervisor has ended by itself. Ignore an exit signal that it sends while it is alive."""
        if type(message) is not Exit:
            self._refused(message)
        elif message.sender is self.root is not None and not self.root.is_alive():
            return Stop(message.reason)
        return None

    def _kernel_proxied(self, message: Any) -> Any:
        return self._refused(message)

    def _refused(self, message: Any) -> Refused:
        log.warning("application.unexpected_message", master=str(self), message=describe(message))
        return Refused(UNKNOWN_REQUEST)

    async def terminate(self, reason: ExitReason) -> None:
        """Stop the tree, without a time limit."""
        if self.root is not None and self.root.is_alive():
            ended = down(self.root)
            send_exit(self.root, reason)
            await ended
