"""One process per connection: owns a wire, answers its requests, and runs the handler of its WebSocket.

The process does not trap exits. When it crashes, or its supervisor sends `shutdown`, the wire stays open for the next
incarnation. When it stops by itself, it closes the wire.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from types import CoroutineType
from typing import Any, ClassVar, TypeAlias

from actors import IGNORE, NORMAL, ExitReason, Inspection, Stop, is_clean
from actors.anatomy import class_name
from actors.describe import describe
from actors.gen_statem import Event, GenStateMachine, Info, Next
from actors.log import get_logger
from actors.oneline import line
from actors.shown import shown
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
    choose_subprotocol,
    validate,
)
from supervision.server.handler import Handler, check_handler, check_result
from supervision.server.incoming import READABLE
from supervision.server.refusing import HandshakeRefused, first_subprotocol, page_handshake
from supervision.server.wire import Wire

log = get_logger("canopy.server")

EVENTS_PER_TURN = 64
"""Events handled for one READABLE. The scheduler counts messages, not events, before other processes get a turn."""


class Phase(enum.Enum):
    """The phase of a connection; it follows from the state of the wire's session, see `_PHASES`."""

    OPEN = "open"
    """TCP is connected, and carries HTTP."""
    ACTIVE = "active"
    """A WebSocket with a handler."""
    CLOSING = "closing"
    """We have sent our close frame, or the peer has sent its own and we have not answered yet."""
    CLOSED = "closed"
    """The session has ended. Events and the end of TCP may still be due."""


_PHASES = {
    State.HTTP: Phase.OPEN,
    State.OPEN: Phase.ACTIVE,
    State.CLOSING: Phase.CLOSING,
    State.FINISHING: Phase.CLOSING,
    State.CLOSED: Phase.CLOSED,
}


_OPEN, _ACTIVE = State.OPEN, Phase.ACTIVE  # a member looked up on its class costs 40 ns


@shown()
@dataclass(frozen=True, slots=True)
class PendingRequest:
    """What a crash report shows of a request."""

    method: str
    path: str


@shown("label")
@dataclass(frozen=True, slots=True)
class WebSocket:
    """A route's answer that upgrades the request to a WebSocket.

    Attributes:
        handler: called with the connection in each incarnation; the variables it closes over outlive crashes. The first
            call is before the 101, so if it raises, the client gets a 500. A handler can send nothing before `opened`
        subprotocols: those that the server speaks
        label: begins the label of the process
        limits: replace those of the server
        headers: added to the 101 response
    """

    handler: Callable[[Connection], Handler]
    subprotocols: tuple[str, ...] = ()
    label: str = "websocket"
    limits: Limits | None = None
    headers: tuple[tuple[str, str], ...] = ()


Answer: TypeAlias = Response | WebSocket
Routes: TypeAlias = Callable[[Request], "Answer | Awaitable[Answer]"]
"""The application: answers a request. To refuse one, it raises `HttpError`, or `HandshakeRefused` for a WebSocket."""


class Connection(GenStateMachine):
    """The actor of one wire. Its states are the phases of the connection.

    Args (of `init`):
        routes: the application
        wire: adopted at once, unless it has an owner or is exhausted; then `init` returns `IGNORE`
    """

    # The session of the wire changes state while this process handles an event, and while it does not (a timeout, the
    # drainer). So the phase is never set directly: after each message `_follow_phase` reads it from the session.
    #
    # A crash can leave the wire in any phase, and `init` continues there: a request that was being served gets a 500,
    # an open WebSocket gets a new handler, and a WebSocket whose last event was handled is finished.

    is_reproducible: ClassVar[bool] = False  # it depends on its socket

    wire: Wire

    def init(self, routes: Routes, wire: Wire) -> Any:
        self._routes = routes
        self.wire = wire
        self._handler: Any = None  # a checked Handler; what its callbacks return is checked at each call
        self._end_holds = 0
        self.label = f"connection #{wire.id}"
        if wire.owner is not None or wire.is_exhausted:
            return IGNORE
        wire.adopt(self.ref)
        if wire.session.state is State.FINISHING and not wire.events:
            wire.finish()  # the last incarnation crashed when it handled the last event, or later
        if isinstance(wire.upgrade, WebSocket) and wire.session.state in (State.OPEN, State.FINISHING):
            self._make_handler(wire.upgrade)
            self._call_handler("opened")
        elif wire.session.awaits_answer and not wire.events:
            wire.fail()  # the last incarnation crashed when it served this request
        return Next(_PHASES[wire.session.state])

    # States.

    def open(self, event: Event) -> Any:
        """Answer requests. The wire ends HTTP if no request comes in time."""
        match event:
            case Info(message) if message is READABLE:
                return self._serve_requests()
        return self._unexpected(event)

    def active(self, event: Event) -> Any:
        """Pass messages to the handler: those of the client, and those of other actors."""
        match event:
            case Info(message) if message is READABLE:
                return self._serve_messages()
            case Info(message) if self._handler is not None:
                self._call_handler("informed", message)
                return self._follow_phase()
        return self._unexpected(event)

    def closing(self, event: Event) -> Any:
        """Wait for the peer's close frame, or for the handler to release the end.

        The handler still gets the messages that the peer sent before its close frame.
        """
        return self.active(event)

    def closed(self, event: Event) -> Any:
        """Handle the last events."""
        return self.active(event)

    def terminate(self, reason: ExitReason) -> None:
        """Close the wire, unless this is a crash: then the next incarnation adopts it."""
        if is_clean(reason) and self.wire.session.awaits_answer:  # a route stopped this process, or another process
            self.wire.fail()
        elif is_clean(reason):
            self.wire.close(CloseCode.GOING_AWAY if self._handler else CloseCode.NORMAL)

    def format_status(self, status: Inspection) -> Inspection:
        """Show only the method and path of a request: no query, no headers, no body."""
        message = status.message
        if type(message) is not Request:
            return status
        return replace(status, message=PendingRequest(message.method, message.path))

    # Sending, for the handler.

    def send_text(self, data: str | bytes) -> None:
        """Send a text message. All messages of one callback go out in one write. After the process died, do nothing."""
        if self.wire.owner is self.ref:
            self.wire.send_text(data)

    def send_binary(self, data: bytes) -> None:
        """Send a binary message. After the process died, do nothing."""
        if self.wire.owner is self.ref:
            self.wire.send_binary(data)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake. After the process died, do nothing."""
        if self.wire.owner is self.ref:
            self.wire.close(code, reason)

    def hold_end(self) -> None:
        """Keep the connection open after the peer ends its side, until `release_end`: an answer is under way.

        The end waits for one release per hold, at most for `close_timeout`. After a crash it does not wait.
        """
        self._end_holds += 1

    def release_end(self) -> None:
        """Release one `hold_end`. Call it in a callback."""
        self._end_holds -= 1

    # Private: HTTP.

    def _serve_requests(self) -> Any:
        """Answer the pending requests, up to the first whose answer must be awaited."""
        wire = self.wire
        wire.cork()
        try:
            for _ in range(EVENTS_PER_TURN):
                if wire.session.state is not State.HTTP:  # the last request was upgraded
                    break
                event = wire.next_event()
                if event is None:
                    return self._follow_phase()
                if isinstance(event, Request):
                    request = wire.identify(event)
                    self.set_message(request)
                    pending = self._answer(request)
                    if pending is not None:
                        return self._answer_later(request, pending)
            self.ref.tell(READABLE)
        finally:
            wire.uncork()
        return self._follow_phase()

    def _answer(self, request: Request) -> Awaitable[Any] | None:
        """Answer `request`, or return an awaitable that gives the answer."""
        answer: Any
        try:
            answer = self._routes(request)
        except HttpError as error:
            self._refuse(request, error)
            return None
        if not isinstance(answer, Response | WebSocket) and inspect.isawaitable(answer):
            return answer
        self._respond(request, answer)
        return None

    async def _answer_later(self, request: Request, pending: Awaitable[Any]) -> Any:
        try:
            answer = await pending
        except HttpError as error:
            self._refuse(request, error)
        else:
            self._respond(request, answer)
        self.ref.tell(READABLE)
        return self._follow_phase()

    def _respond(self, request: Request, answer: object) -> None:
        if not isinstance(answer, Response | WebSocket):
            if isinstance(answer, CoroutineType):
                answer.close()  # or Python warns that it was never awaited
            returned, asked = class_name(type(answer)), f"{request.method} {line(request.path, 100)}"
            raise TypeError(
                f"the route {describe(self._routes)} returned {returned} for {asked}, not a Response or WebSocket"
            )
        if self.wire.is_closed:  # its end was handled: nothing would leave `Admission` or stop the deadlines again
            return
        if isinstance(answer, Response):
            self.wire.respond(answer)
        else:
            self._upgrade(request, answer)

    def _upgrade(self, request: Request, websocket: WebSocket) -> None:
        """Upgrade `request` to a WebSocket, unless the handshake is invalid or refused."""
        try:
            upgrade = validate(request)
            refusal = self.wire.admit(request, upgrade.origin)
            if refusal is not None:
                raise refusal.error
        except HttpError as error:
            self._refuse(request, error)
            return
        self.wire.upgrade = replace(websocket, headers=())  # the headers are sent once; do not keep them
        self._make_handler(websocket)
        subprotocol = choose_subprotocol(upgrade.subprotocols, websocket.subprotocols)
        self.wire.accept(upgrade, subprotocol, websocket.headers, websocket.limits)
        self._call_handler("opened")

    def _refuse(self, request: Request, error: HttpError) -> None:
        """Answer `request` with `error`, or by a close code if a page opens a WebSocket (see `refusing`)."""
        wire = self.wire
        if wire.is_closed:
            return
        refused = error if isinstance(error, HandshakeRefused) else None
        upgrade = None if refused is None else page_handshake(request, wire.origins)
        if refused is None or upgrade is None:
            wire.respond(error.response)
        else:
            wire.accept(upgrade, first_subprotocol(upgrade))
            wire.close(refused.close_code, refused.message)

    # Private: WebSocket.

    def _make_handler(self, websocket: WebSocket) -> None:
        self.label = f"{websocket.label} #{self.wire.id}"
        handler = websocket.handler(self)
        check_handler(handler)
        self._handler = handler

    def _call_handler(self, callback: str, *args: Any) -> None:
        """Call a callback of the handler, and check its result."""
        result = getattr(self._handler, callback)(*args)
        if result is not None:
            check_result(self._handler, callback, result)

    def _serve_messages(self) -> Any:
        """Pass the pending messages to the handler, at most `EVENTS_PER_TURN`."""
        wire, handler = self.wire, self._handler
        event: Any = None
        wire.cork()
        try:
            for _ in range(EVENTS_PER_TURN):
                event = wire.next_event()
                if event is None:
                    break
                if type(event) is Text or type(event) is Binary:
                    if handler is not None:
                        result = handler.received(event)
                        if result is not None:
                            check_result(handler, "received", result)
                elif isinstance(event, Closed):
                    return self._finish(event)
            else:
                self.ref.tell(READABLE)
            if handler is not None:
                result = handler.drained()
                if result is not None:
                    check_result(handler, "drained", result)
        except BaseException:
            if event is not None:
                self.set_message(event)
            raise
        finally:
            wire.uncork()
        return self._follow_phase()

    def _finish(self, event: Closed) -> Any:
        """Tell the handler that the peer has ended its side; answer now, or when the handler releases the end."""
        wire = self.wire
        if self._handler is not None:
            self._call_handler("drained")
            self._call_handler("closed", event.code, event.reason)
        wire.count_closing(event.code)
        if self._end_holds and wire.may_answer:
            wire.hold_end()
            return self._follow_phase()
        wire.finish()
        return Stop(NORMAL)

    # Private: both.

    def _follow_phase(self) -> Any:
        """Change to the phase of the session. Stop once the wire is exhausted or the last hold is released."""
        wire = self.wire
        if wire.session.state is _OPEN and self.state is _ACTIVE and not wire.is_closed:
            return None  # as after almost every message
        if wire.is_exhausted:
            return Stop(NORMAL)
        if wire.session.state is State.FINISHING and not wire.events and not self._end_holds:
            wire.finish()
            return Stop(NORMAL)
        phase = _PHASES[wire.session.state]
        return None if phase is self.state else Next(phase)

    def _unexpected(self, event: Event) -> None:
        log.warning("actor.unexpected_message", actor=self.ref, message=describe(event))


def close_given_up(reason: ExitReason, args: tuple[Any, ...]) -> None:
    """Close the wire of a connection that crashed too often with 1011. The supervisor calls this as `given_up`."""
    wire: Wire = args[-1]
    wire.fail()
