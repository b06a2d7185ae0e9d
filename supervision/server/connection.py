"""One process per connection: owns a wire, answers its requests, and runs the handler of its WebSocket.

It does not trap exits: when it dies of a crash, or of its supervisor's `shutdown`, the wire stays for the next
incarnation. It closes the wire itself when it ends by its own decision.
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


@shown()
@dataclass(frozen=True, slots=True)
class PendingRequest:
    """What may be seen of a request in a crash report."""

    method: str
    path: str


@shown("label")
@dataclass(frozen=True, slots=True)
class WebSocket:
    """A route's answer: make this request a WebSocket.

    `handler` is called with the connection for each incarnation; what it closes over outlives crashes. The first call
    is before the 101, so that the client gets a 500 if it raises: nothing can be sent before `opened`. `limits` hold in
    place of the server's. `headers` go into the 101.
    """

    handler: Callable[[Connection], Handler]
    subprotocols: tuple[str, ...] = ()
    label: str = "websocket"
    limits: Limits | None = None
    headers: tuple[tuple[str, str], ...] = ()


Answer: TypeAlias = Response | WebSocket
Routes: TypeAlias = Callable[[Request], "Answer | Awaitable[Answer]"]
"""The application: the answer to a request. To refuse, it raises `HttpError`, or for a WebSocket `HandshakeRefused`."""


class Connection(GenStateMachine):
    """The actor of one wire. Its states are the phases of the connection, as the protocol has them.

    Args (of `init`):
        routes: what answers its requests
        wire: what it owns
    """

    is_reproducible: ClassVar[bool] = False  # without its socket it does something else

    wire: Wire

    def init(self, routes: Routes, wire: Wire) -> Any:
        self._routes = routes
        self.wire = wire
        self._handler: Any = None  # a Handler that has been checked; what it returns is checked each time
        self._holds = 0
        self.label = f"connection #{wire.id}"
        if wire.owner is not None or wire.is_exhausted:
            return IGNORE
        wire.adopt(self.ref)
        if wire.session.state is State.FINISHING and not wire.events:
            wire.finish()  # the last incarnation crashed on the last event, or after it
        if isinstance(wire.upgrade, WebSocket) and wire.session.state in (State.OPEN, State.FINISHING):
            self._make_handler(wire.upgrade)
            self._call("opened")
        elif wire.session.awaits_answer and not wire.events:
            wire.fail()  # its request was being served when the last incarnation crashed
        return Next(_PHASES[wire.session.state])

    # States.

    def open(self, event: Event) -> Any:
        """Answer requests. The wire ends if none comes in time."""
        match event:
            case Info(message) if message is READABLE:
                return self._serve()
        return self._unexpected(event)

    def active(self, event: Event) -> Any:
        """Pass messages to the handler: the peer's, and those of other actors."""
        match event:
            case Info(message) if message is READABLE:
                return self._read()
            case Info(message) if self._handler is not None:
                self._call("informed", message)
                return self._after()
        return self._unexpected(event)

    def closing(self, event: Event) -> Any:
        """Wait for the peer's answer to our close frame, or for the handler to release the end.

        What the peer says before its close frame is still heard.
        """
        return self.active(event)

    def closed(self, event: Event) -> Any:
        """Wait for the last event."""
        return self.active(event)

    def terminate(self, reason: ExitReason) -> None:
        """Close the wire, unless this is a crash: then the next incarnation takes it over."""
        if is_clean(reason) and self.wire.session.awaits_answer:  # a route ended this process, or somebody stopped it
            self.wire.fail()
        elif is_clean(reason):
            self.wire.close(CloseCode.GOING_AWAY if self._handler else CloseCode.NORMAL)

    def format_status(self, status: Inspection) -> Inspection:
        """Show of a request what was asked for: no query, no headers and no body."""
        message = status.message
        if type(message) is not Request:
            return status
        return replace(status, message=PendingRequest(message.method, message.path))

    # Sending, for the handler.

    def send_text(self, data: str | bytes) -> None:
        """Send a text message; what is sent in one callback goes out in one write. Nothing after its death."""
        if self.wire.owner is self.ref:
            self.wire.send_text(data)

    def send_binary(self, data: bytes) -> None:
        """Send a binary message. Nothing after its death."""
        if self.wire.owner is self.ref:
            self.wire.send_binary(data)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake. Nothing after its death."""
        if self.wire.owner is self.ref:
            self.wire.close(code, reason)

    def hold_end(self) -> None:
        """Keep the connection open when the peer has ended its side, until `release_end`: an answer is under way.

        The end waits for as many releases as there were holds, at most for the `close_timeout`. After a crash it does
        not wait.
        """
        self._holds += 1

    def release_end(self) -> None:
        """Take back one `hold_end`, in a callback."""
        self._holds -= 1

    # Private: HTTP.

    def _serve(self) -> Any:
        """Answer the requests that are there, up to one whose answer takes time."""
        wire = self.wire
        wire.cork()
        try:
            for _ in range(EVENTS_PER_TURN):
                if wire.session.state is not State.HTTP:  # the last request made it a WebSocket
                    break
                event = wire.take()
                if event is None:
                    return self._after()
                if isinstance(event, Request):
                    request = wire.identify(event)
                    self.set_message(request)
                    pending = self._answer(request)
                    if pending is not None:
                        return self._answer_later(request, pending)
            self.ref.tell(READABLE)
        finally:
            wire.uncork()
        return self._after()

    def _answer(self, request: Request) -> Awaitable[Any] | None:
        """Answer `request`, or return what its answer will come from."""
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
        return self._after()

    def _respond(self, request: Request, answer: object) -> None:
        if not isinstance(answer, Response | WebSocket):
            if isinstance(answer, CoroutineType):
                answer.close()  # Python would warn that nothing has awaited it
            returned, asked = class_name(type(answer)), f"{request.method} {line(request.path, 100)}"
            raise TypeError(
                f"the route {describe(self._routes)} returned {returned} for {asked}, not a Response or WebSocket"
            )
        if self.wire.is_closed:  # nobody would tell the books of admission, or the deadlines, that it is gone
            return
        if isinstance(answer, Response):
            self.wire.respond(answer)
        else:
            self._upgrade(request, answer)

    def _upgrade(self, request: Request, websocket: WebSocket) -> None:
        """Make `request` a WebSocket, unless the handshake is wrong or not admitted."""
        try:
            upgrade = validate(request)
            refusal = self.wire.admit(request, upgrade.origin)
            if refusal is not None:
                raise refusal.error
        except HttpError as error:
            self._refuse(request, error)
            return
        self.wire.upgrade = replace(websocket, headers=())  # they are sent once, and would stay as long as the wire
        self._make_handler(websocket)
        subprotocol = choose_subprotocol(upgrade.subprotocols, websocket.subprotocols)
        self.wire.accept(upgrade, subprotocol, websocket.headers, websocket.limits)
        self._call("opened")

    def _refuse(self, request: Request, error: HttpError) -> None:
        """Answer `request` with `error`; a page whose handshake is refused is told by a close code."""
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

    def _call(self, callback: str, *args: Any) -> None:
        """Call the handler."""
        result = getattr(self._handler, callback)(*args)
        if result is not None:
            check_result(self._handler, callback, result)

    def _read(self) -> Any:
        """Pass the messages that are there to the handler, and at most so many that others get their turn."""
        wire, handler = self.wire, self._handler
        event: Any = None
        wire.cork()
        try:
            for _ in range(EVENTS_PER_TURN):
                event = wire.take()
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
        return self._after()

    def _finish(self, event: Closed) -> Any:
        """Answer the end of the peer, after what it said before: at once, or when the handler releases the end."""
        wire = self.wire
        if self._handler is not None:
            self._call("drained")
            self._call("closed", event.code, event.reason)
        wire.count_closing(event.code)
        if self._holds and wire.may_answer:
            wire.hold_end()
            return self._after()
        wire.finish()
        return Stop(NORMAL)

    # Private: both.

    def _after(self) -> Any:
        """Follow the protocol to the phase it is in now; end when the wire has ended and nothing is left to take."""
        wire = self.wire
        if wire.session.state is _OPEN and self.state is _ACTIVE and not wire.is_closed:
            return None  # as after almost every message
        if wire.is_exhausted:
            return Stop(NORMAL)
        if wire.session.state is State.FINISHING and not wire.events and not self._holds:
            wire.finish()
            return Stop(NORMAL)
        phase = _PHASES[wire.session.state]
        return None if phase is self.state else Next(phase)

    def _unexpected(self, event: Event) -> None:
        log.warning("actor.unexpected_message", actor=self.ref, message=describe(event))


def give_up(reason: ExitReason, args: tuple[Any, ...]) -> None:
    """Close the wire of a connection that crashed too often: 1011 to this peer alone."""
    wire: Wire = args[-1]
    wire.fail()
