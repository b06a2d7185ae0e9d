"""A server that does what a test tells it: requests are functions of the server, run in its callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors import Call, ExitReason, GenServer, Ref, start

Deed = Callable[["Puppet"], Any]


def nothing(_: Puppet) -> None:
    """Do nothing."""


class Puppet(GenServer):
    """Runs the functions it is sent; keeps other messages in `got`.

    Args (of `init`):
        begin, end: run in `init` and `terminate`
        trap_exit: from the beginning
        ends: gets the reasons with which `terminate` ran
    """

    def init(
        self,
        begin: Deed = nothing,
        end: Deed = nothing,
        *,
        trap_exit: bool = False,
        ends: list[ExitReason] | None = None,
    ) -> Any:
        self.trap_exit = trap_exit
        self.end = end
        self.ends = [] if ends is None else ends
        self.got: list[Any] = []
        return begin(self)

    def handle_call(self, request: Deed, from_: Call) -> Any:
        return request(self)

    def handle_cast(self, request: Deed) -> Any:
        return request(self)

    def handle_info(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.got.append(message)
        return None

    def terminate(self, reason: ExitReason) -> Any:
        self.ends.append(reason)
        return self.end(self)


async def puppet(begin: Deed = nothing, end: Deed = nothing, **options: Any) -> tuple[Ref, Puppet]:
    """Start a puppet; returns it and its insides."""
    insides: list[Puppet] = []

    def remember(self: Puppet) -> Any:
        insides.append(self)
        return begin(self)

    ref = await start(Puppet, remember, end, **options)
    return ref, insides[0]
