"""One process per connection: owns a wire, answers its requests, and runs the handler of its WebSocket.

It does not trap exits: when it dies of a crash, or of its supervisor's `shutdown`, the wire stays for the next
incarnation. It closes the wire itself when it ends by its own decision.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

from actors import IGNORE, NORMAL, ExitReason, Stop, is_clean
from actors.gen_statem import Event, GenStateMachine, Info, Next, StateTimedOut, StateTimeout
from actors.log import get_logger
from protocol import (
    Binary,
    CloseCode,
    Closed,
    HttpError,
    Limits,
    Request,
    Response,
    State,
    Text,
    Upgrade,
    choose_subprotocol,
    validate,
)
from supervision.server.wire import READABLE, Wire

log = get_logger("canopy.server")

EVENTS_PER_TURN = 64
"""Events that are handled for one message; the scheduler counts messages, and then lets others have a turn."""


class Phase(enum.Enum):
    """Where a connection is in its life."""

    OPEN = "open"
    """TCP is there, and speaks HTTP."""
    ACTIVE = "active"
    """A WebSocket with a handler."""
    CLOSING = "closing"
    """Our close frame is out, or the peer's has come and is still to be answered."""
    CLOSED = "closed"


_PHASES = {
    State.HTTP: Phase.OPEN,
    State.OPEN: Phase.ACTIVE,
    State.CLOSING: Phase.CLOSING,
    State.FINISHING: Phase.CLOSING,
    State.CLOSED: Phase.CLOSED,
}


_OPEN, _ACTIVE = State.OPEN, Phase.ACTIVE  # a member looked up on its class costs 40 ns


class Handler(Protocol):
    """The application's side of one WebSocket. Made anew for every incarnation of its connection actor.

    An exception in any of these crashes the connection actor, not the socket.
    """

    def opened(self) -> None:
        """The WebSocket is there, or is there again after a crash."""

    def received(self, message: Text | Binary) -> None:
        """Take a message of the peer."""

    def drained(self) -> None:
        """All messages that came together have been received."""

    def informed(self, message: Any) -> None:
        """Take a message that another actor sent to the connection."""

    def closed(self, code: int, reason: str) -> None:
        """The WebSocket has ended; what the peer said, or 1006."""


@dataclass(frozen=True, slots=True)
class WebSocket:
    """A route's answer: make this request a WebSocket.

    `handler` is called with the connection for each incarnation; what it closes over outlives crashes. `limits` hold
    in place of the server's. `headers` go into the 101.
    """

    handler: Callable[[Connection], Handler]
    subprotocols: tuple[str, ...] = ()
    label: str = "websocket"
    limits: Limits | None = None
    headers: tuple[tuple[str, str], ...] = ()


Answer: TypeAlias = Response | WebSocket
Routes: TypeAlias = Callable[[Request], "Answer | Awaitable[Answer]"]
"""The application: what is the answer to a request. Raises `HttpError` to refuse one."""


class Connection(GenStateMachine):
    """The actor of one wire. Its states are the phases of the connection, as the protocol has them.

    Args (of `init`):
        routes: what answers its requests
        wire: what it owns
    """

    wire: Wire

    def init(self, routes: Routes, wire: Wire) -> Any:
        self._routes = routes
        self.wire = wire
        self._handler: Handler | None = None
        self.label = f"connection #{wire.id}"
        if wire.owner is not None or (wire.is_closed and not wire.events):
            return IGNORE
        wire.adopt(self.ref)
        if wire.session.state is State.FINISHING and not wire.events:
            wire.finish()  # the last incarnation crashed on the last event
        if isinstance(wire.keepsake, WebSocket) and wire.session.state in (State.OPEN, State.FINISHING):
            self._begin(wire.keepsake)
        elif wire.session.awaits_answer and not wire.events:
            wire.fail()  # its request was being served when the last incarnation crashed
        return Next(_PHASES[wire.session.state], *self._deadline())

    # States.

    def open(self, event: Event) -> Any:
        """Answer requests. A client that sends none, or only a part of one, is cut off in time."""
        match event:
            case Info(message) if message is READABLE:
                return self._serve()
            case StateTimedOut() if self.wire.session.awaits_answer:
                return None  # it came in the last moment: READABLE is behind this message
            case StateTimedOut():
                log.info("connection.idle", connection=self.label, peer=self.wire.peer)
                self.wire.expire()
                return Stop(NORMAL)
        return self._unexpected(event)

    def active(self, event: Event) -> Any:
        """Pass messages to the handler: the peer's, and those of other actors."""
        match event:
            case Info(message) if message is READABLE:
                return self._read()
            case Info(message) if self._handler is not None:
                self._handler.informed(message)
                return self._after()
        return self._unexpected(event)

    def closing(self, event: Event) -> Any:
        """Wait for the peer's answer to our close frame; what it says before that is still heard."""
        return self.active(event)

    def closed(self, event: Event) -> Any:
        """Wait for the last event."""
        return self.active(event)

    def terminate(self, reason: ExitReason) -> None:
        """Close the wire, unless this is a crash: then the next incarnation takes it over."""
        if is_clean(reason):
            self.wire.close(CloseCode.GOING_AWAY if self._handler else CloseCode.NORMAL)

    # Sending, for the handler.

    def send_text(self, data: str | bytes) -> None:
        """Send a text message; what is sent in one callback goes out in one write."""
        self.wire.send_text(data)

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        self.wire.send_binary(data)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""
        self.wire.close(code, reason)

    # Private: HTTP.

    def _serve(self) -> Any:
        """Answer the requests that are there, up to one whose answer takes time."""
        wire = self.wire
        wire.cork()
        try:
            for _ in range(EVENTS_PER_TURN):
                if self._handler is not None:  # the last request made it a WebSocket
                    break
                event = wire.take()
                if event is None:
                    return self._after()
                if isinstance(event, Request):
                    request = wire.identify(event)
                    pending = self._answer(request)
                    if pending is not None:
                        return self._answer_later(request, pending)
            self.ref.tell(READABLE)
        finally:
            wire.uncork()
        return self._after()

    def _answer(self, request: Request) -> Awaitable[Answer] | None:
        """Answer `request`, or return what its answer will come from."""
        try:
            answer = self._routes(request)
            if not isinstance(answer, Response | WebSocket):
                return answer
            self._respond(request, answer)
        except HttpError as error:
            self.wire.respond(error.response)
        return None

    async def _answer_later(self, request: Request, pending: Awaitable[Answer]) -> Any:
        try:
            self._respond(request, await pending)
        except HttpError as error:
            self.wire.respond(error.response)
        self.ref.tell(READABLE)
        return self._after()

    def _respond(self, request: Request, answer: Answer) -> None:
        if self.wire.is_closed:  # nobody would tell the books of admission, or the heartbeat, that it is gone
            return
        if isinstance(answer, Response):
            self.wire.respond(answer)
            return
        upgrade: Upgrade = validate(request)
        refusal = self.wire.admit(request, upgrade.origin)
        if refusal is not None:
            raise HttpError(refusal.status, refusal.text, refusal.headers)
        self.wire.keepsake = replace(answer, headers=())  # they are sent once, and would stay as long as the wire
        subprotocol = choose_subprotocol(upgrade.subprotocols, answer.subprotocols)
        self.wire.accept(upgrade, subprotocol, answer.headers, answer.limits)
        self._begin(answer)

    # Private: WebSocket.

    def _begin(self, websocket: WebSocket) -> None:
        self.label = f"{websocket.label} #{self.wire.id}"
        self._handler = websocket.handler(self)
        self._handler.opened()

    def _read(self) -> Any:
        """Pass the messages that are there to the handler, and at most so many that others get their turn."""
        wire, handler = self.wire, self._handler
        wire.cork()
        try:
            for _ in range(EVENTS_PER_TURN):
                event = wire.take()
                if event is None:
                    break
                if type(event) is Text or type(event) is Binary:
                    if handler is not None:
                        handler.received(event)
                elif isinstance(event, Closed):
                    return self._finish(event)
            else:
                self.ref.tell(READABLE)
            if handler is not None:
                handler.drained()
        finally:
            wire.uncork()
        return self._after()

    def _finish(self, event: Closed) -> Stop:
        """Answer the close of the peer, after what it said before."""
        if self._handler is not None:
            self._handler.drained()
            self._handler.closed(event.code, event.reason)
        self.wire.finish()
        self.wire.count_closing(event.code)
        return Stop(NORMAL)

    # Private: both.

    def _after(self) -> Any:
        """Follow the protocol to the phase it is in now; end when the wire has ended and nothing is left to take."""
        wire = self.wire
        if wire.session.state is _OPEN and self.state is _ACTIVE and not wire.is_closed:
            return None  # as after almost every message
        if wire.is_closed and not wire.events:
            return Stop(NORMAL)
        phase = _PHASES[wire.session.state]
        if phase is not self.state or phase is Phase.OPEN:
            return Next(phase, *self._deadline())
        return None

    def _deadline(self) -> tuple[StateTimeout, ...]:
        """How long the present phase may last: only HTTP is limited here, WebSockets by their wire."""
        return (StateTimeout(self.wire.request_timeout),) if self.wire.session.state is State.HTTP else ()

    def _unexpected(self, event: Event) -> None:
        log.warning("actor.unexpected_message", actor=str(self), message=repr(event)[:200])


def give_up(reason: ExitReason, args: tuple[Any, ...]) -> None:
    """Close the wire of a connection that crashed too often: 1011 to this peer alone."""
    wire: Wire = args[-1]
    wire.fail()
