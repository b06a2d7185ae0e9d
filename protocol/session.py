"""Pure. The server's side of one connection: HTTP first, WebSocket once a request has been accepted.

Pass received bytes to `receive` and `receive_eof`, which return events. What the session sends by itself (pongs, close
replies, errors) and the responses to requests wait in `output`. `send_*` and `close` return the bytes to write,
preceded by what waited in the output, so the order is right if the owner writes everything it is given at once.

The owner has four duties:

- after a `Request`, answer it with `accept` or `respond`, and stop reading until then: bytes that arrive meanwhile are
  buffered without a limit;
- write the bytes that it is given;
- after `Closed`, once it has answered all earlier events, call `finish`;
- once `should_close` is true, flush the output and close TCP.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Literal

from protocol.deflate import Compression, Deflater, Inflater, Variant, agree, deflater
from protocol.errors import CloseCode, ProtocolViolation
from protocol.events import Binary, CloseCause, Closed, Event, HttpFailure, Ping, Pong, Text
from protocol.frames import Close, Opcode, encode_binary, encode_close, encode_frame, encode_text
from protocol.handshake import Upgrade, accept_response, validate
from protocol.http import HttpError, Request, Response, encode_response
from protocol.limits import DEFAULT_LIMITS, Limits
from protocol.reader import FrameReader, read_small_messages
from protocol.request_parser import Interim, RequestParser


class State(Enum):
    """The states of a connection."""

    HTTP = "http"
    """Requests and responses."""
    OPEN = "open"
    """WebSocket, in both directions."""
    CLOSING = "closing"
    """Our close frame is sent: messages from the peer still arrive, but we send no more."""
    FINISHING = "finishing"
    """The peer has closed, violated the protocol or ended its stream, so nothing more arrives. The owner may still
    answer earlier messages; then `finish` sends our close frame, if one is due."""
    CLOSED = "closed"
    """Nothing is received or sent except the pending output; then TCP must be closed."""


class Trigger(Enum):
    """The triggers of a change of state."""

    ACCEPT = "accept"
    LAST_RESPONSE = "last response"
    BAD_REQUEST = "bad request"
    LOCAL_CLOSE = "local close"
    PEER_CLOSE = "peer close"
    VIOLATION = "violation"
    EOF = "eof"
    FINISH = "finish"


TRANSITIONS: dict[tuple[State, Trigger], State] = {
    (State.HTTP, Trigger.ACCEPT): State.OPEN,
    (State.HTTP, Trigger.LAST_RESPONSE): State.CLOSED,
    (State.HTTP, Trigger.BAD_REQUEST): State.CLOSED,
    (State.HTTP, Trigger.EOF): State.CLOSED,
    (State.OPEN, Trigger.LOCAL_CLOSE): State.CLOSING,
    (State.OPEN, Trigger.PEER_CLOSE): State.FINISHING,
    (State.OPEN, Trigger.VIOLATION): State.FINISHING,
    (State.OPEN, Trigger.EOF): State.FINISHING,
    (State.CLOSING, Trigger.PEER_CLOSE): State.CLOSED,
    (State.CLOSING, Trigger.VIOLATION): State.CLOSED,
    (State.CLOSING, Trigger.EOF): State.CLOSED,
    (State.FINISHING, Trigger.FINISH): State.CLOSED,
}

_FINISHING = State.FINISHING
_OPEN = State.OPEN  # looking up a member on its class costs 0.08 us in Python 3.11


class Session:
    """The protocol state of one connection.

    Attributes, read-only:
        state: the current state
        variant: how messages are compressed without context takeover; None if they are not
    """

    __slots__ = (
        "_date",
        "_encoder",
        "_eof",
        "_final_close",
        "_limits",
        "_output",
        "_parser",
        "_reader",
        "_request",
        "state",
        "variant",
    )

    def __init__(self, limits: Limits = DEFAULT_LIMITS, *, date: Callable[[], str] | None = None) -> None:
        """Start in HTTP. `date` returns the Date header of a response (see `http.format_date`); None omits it."""
        self.state = State.HTTP
        self._limits = limits
        self._date = date
        self._parser: RequestParser | None = RequestParser(limits)
        self._reader: FrameReader | None = None
        self._request: Request | None = None
        self._output: list[bytes] = []
        self._eof = False
        self._encoder: Variant | Deflater | None = None
        self.variant: Variant | None = None
        self._final_close = b""  # the close frame that `finish` sends

    # -- receiving -------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the peer; return the events that they complete. In CLOSED, and in FINISHING, ignore them."""
        events: list[Event] = []
        if self._reader is not None:
            self._read_frames(self._reader, data, events)
        elif self._parser is not None:
            self._parser.feed(data)
            self._read_request(self._parser, events)
        return events

    def receive_eof(self) -> list[Event]:
        """Take the end of the peer's stream. A pending request can still be answered."""
        self._eof = True
        events: list[Event] = []
        self._finish_eof(events)
        return events

    def output(self) -> bytes:
        """Remove and return the bytes to write that the session has produced by itself."""
        if not self._output:
            return b""
        output = b"".join(self._output)
        self._output.clear()
        return output

    @property
    def should_close(self) -> bool:
        """Whether to close TCP once the output is flushed."""
        return self.state is State.CLOSED

    @property
    def may_receive_more(self) -> bool:
        """Whether the peer may still send: the end of its stream has not been received.

        Nothing should follow the peer's close frame. If anything does, closing the socket at once resets the
        connection, and the peer may lose our answer (RFC 6455 §7.1.1).
        """
        return not self._eof

    @property
    def slow_frames(self) -> int:
        """Number of frames so far that missed the fast path (fragments, control or compressed frames), 5 us each."""
        return 0 if self._reader is None else self._reader.frames

    @property
    def is_compressed(self) -> bool:
        """Whether compression was agreed."""
        return self._encoder is not None

    @property
    def awaits_answer(self) -> bool:
        """Whether a `Request` waits for `accept` or `respond`. Parsing is paused, and reading should be."""
        return self._request is not None

    # -- answering a request ---------------------------------------------------------------------------------------

    def accept(
        self,
        request: Request | Upgrade,
        *,
        subprotocol: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        compression: Compression | None = None,
        limits: Limits | None = None,
    ) -> list[Event]:
        """Answer with 101 and become a WebSocket; return the events of the bytes that have already arrived after it.

        Args:
            request: the pending request, or the result of `handshake.validate`, which saves a second validation
            subprotocol: one of those offered
            headers: more headers of the response
            compression: compress messages if the client has made an acceptable offer (RFC 7692)
            limits: replace the current limits

        Raises:
            HttpError: if the request is not a valid handshake; it still waits for a response.
            ValueError: if the client did not offer the subprotocol.
        """
        _, parser = self._awaiting()
        upgrade = request if isinstance(request, Upgrade) else validate(request)
        self._limits = limits or self._limits
        agreement = None if compression is None else agree(upgrade.extensions, compression)
        extensions = () if agreement is None else (agreement.extension,)
        self._output.append(accept_response(upgrade, subprotocol, extensions, headers))
        self._step(Trigger.ACCEPT)
        self._request = self._parser = None
        if agreement is not None and compression is not None:
            self._encoder = deflater(agreement, compression)
            self.variant = self._encoder if isinstance(self._encoder, Variant) else None
        self._reader = FrameReader(self._limits, None if agreement is None else Inflater(agreement))
        events = self.receive(parser.take_rest())
        if self._eof:
            self._finish_eof(events)
        return events

    def respond(self, response: Response, *, close: bool = False) -> list[Event]:
        """Answer with a final response; return the next request if it has already arrived.

        The connection persists if the client wants that and `close` is false.
        """
        request, parser = self._awaiting()
        if response.status < 200:
            raise ValueError(f"{response.status} is not a final status")
        keep_alive = request.keep_alive and not close
        connection: Literal["close", "keep-alive"] | None = None
        if not keep_alive:
            connection = "close"
        elif request.version < (1, 1):
            connection = "keep-alive"
        self._write_response(response, head_only=request.method == "HEAD", connection=connection)
        self._request = None
        events: list[Event] = []
        if keep_alive:
            self._read_request(parser, events)
        else:
            self._end(Trigger.LAST_RESPONSE)
        if self._eof:
            self._finish_eof(events)
        return events

    def expire(self) -> bool:
        """End HTTP because no complete request arrived in time; return whether part of one did, which gets a 408."""
        parser = self._parser
        if parser is None or self._request is not None:
            return False
        has_begun = parser.has_begun
        if has_begun:
            response = HttpError(408, "The request did not arrive in time (RFC 9110 §15.5.9)").response
            self._write_response(response, head_only=parser.method == "HEAD", connection="close")
        self._end(Trigger.BAD_REQUEST if has_begun else Trigger.EOF)
        return has_begun

    # -- sending ---------------------------------------------------------------------------------------------------

    def send_text(self, data: str | bytes) -> bytes:
        """Return the bytes of a text message; `bytes` must be UTF-8. Empty after our close frame."""
        if self.state is not _OPEN and self.state is not _FINISHING:
            return self._refuse()
        frame = encode_text(data) if self._encoder is None else self._encoder.encode(Opcode.TEXT, _utf8(data))
        return self._after_output(frame) if self._output else frame

    def send_binary(self, data: bytes) -> bytes:
        """Return the bytes of a binary message. Empty after our close frame."""
        if self.state is not _OPEN and self.state is not _FINISHING:
            return self._refuse()
        frame = encode_binary(data) if self._encoder is None else self._encoder.encode(Opcode.BINARY, data)
        return self._after_output(frame) if self._output else frame

    def send_frames(self, frames: bytes) -> bytes:
        """Return the bytes of complete messages that a `SharedMessage` has encoded. Empty after our close frame."""
        if self.state is not _OPEN and self.state is not _FINISHING:
            return self._refuse()
        return self._after_output(frames) if self._output else frames

    def ping(self, data: bytes = b"") -> bytes:
        """Return the bytes of a ping with at most 125 bytes of data. Empty unless the state is OPEN."""
        if self.state is not _OPEN:
            return self._refuse()
        return self._after_output(encode_frame(Opcode.PING, data))

    def close(self, code: int | None = CloseCode.NORMAL, reason: str = "") -> bytes:
        """Start the closing handshake; return the bytes of the close frame. Empty if one has been sent.

        If the peer has started it or violated the protocol, this is `finish`.
        """
        if self.state is _FINISHING:
            return self.finish()
        if self.state is not _OPEN:
            return self._refuse()
        frame = encode_close(code, reason)
        self._step(Trigger.LOCAL_CLOSE)
        return self._after_output(frame)

    def finish(self) -> bytes:
        """Answer the peer's close or violation, or the end of its stream; return the bytes.

        Call it once `Closed` and all earlier events are handled. Empty unless the state is FINISHING.
        """
        if self.state is not _FINISHING:
            return b""
        self._step(Trigger.FINISH)
        return self._after_output(self._final_close)

    # -- private: HTTP ---------------------------------------------------------------------------------------------

    def _awaiting(self) -> tuple[Request, RequestParser]:
        if self._request is None or self._parser is None:
            raise RuntimeError("no request waits for an answer")
        return self._request, self._parser

    def _read_request(self, parser: RequestParser, events: list[Event]) -> None:
        """Parse the next request, unless one still waits for its answer."""
        if self._request is not None:
            return
        try:
            while (item := parser.next()) is Interim.CONTINUE:
                self._output.append(item.value)
        except HttpError as error:
            self._write_response(error.response, head_only=parser.method == "HEAD", connection="close")
            self._end(Trigger.BAD_REQUEST)
            events.append(HttpFailure(error))
            return
        if isinstance(item, Request):
            self._request = item
            events.append(item)

    def _write_response(
        self, response: Response, *, head_only: bool, connection: Literal["close", "keep-alive"] | None
    ) -> None:
        date = self._date() if self._date else None
        self._output.append(encode_response(response, head_only=head_only, date=date, connection=connection))

    # -- private: WebSocket ----------------------------------------------------------------------------------------

    def _read_frames(self, reader: FrameReader, data: bytes, events: list[Event]) -> None:
        position, size = 0, len(data)
        try:
            while position < size and self._reader is not None:  # None: closed by the last frame
                if reader.idle:
                    position = read_small_messages(data, position, self._limits.message, events)
                    if position == size:
                        return
                position, item = reader.read(data, position)
                if item is not None:
                    self._handle(item, events)
        except ProtocolViolation as violation:
            self._fail(violation, events)

    def _handle(self, item: Text | Binary | Ping | Pong | Close, events: list[Event]) -> None:
        match item:
            case Close():
                self._peer_closed(item, events)
            case Ping() if self.state is State.OPEN:
                self._output.append(encode_frame(Opcode.PONG, item.data))
                events.append(item)
            case _:
                events.append(item)

    def _peer_closed(self, close: Close, events: list[Event]) -> None:
        if self.state is State.OPEN:
            # "the endpoint typically echos the status code it received" (RFC 6455 §5.5.1)
            self._final_close = encode_close(None if close.code == CloseCode.NO_STATUS else close.code)
            cause = CloseCause.PEER
        else:
            cause = CloseCause.LOCAL
        self._end(Trigger.PEER_CLOSE)
        events.append(Closed(close.code, close.reason, cause))

    def _fail(self, violation: ProtocolViolation, events: list[Event]) -> None:
        if self.state is State.OPEN:
            self._final_close = encode_close(violation.code, str(violation))
        self._end(Trigger.VIOLATION)
        events.append(Closed(violation.code, str(violation), CloseCause.VIOLATION))

    def _refuse(self) -> bytes:
        """Return no bytes after a close frame; raise before the upgrade, since that is the owner's bug."""
        if self.state is State.HTTP:
            raise RuntimeError("not a WebSocket: no request has been accepted")
        return b""

    def _after_output(self, frame: bytes) -> bytes:
        self._output.append(frame)
        return self.output()

    # -- private: both ---------------------------------------------------------------------------------------------

    def _finish_eof(self, events: list[Event]) -> None:
        if self.state in (State.OPEN, State.CLOSING):
            events.append(Closed(CloseCode.ABNORMAL, "", CloseCause.LOST))
            self._end(Trigger.EOF)
        elif self.state is State.HTTP and self._request is None:
            self._end(Trigger.EOF)

    def _step(self, trigger: Trigger) -> None:
        self.state = TRANSITIONS[self.state, trigger]

    def _end(self, trigger: Trigger) -> None:
        """Change the state, receive nothing more, and release everything but the output."""
        self._step(trigger)
        self._request = self._parser = self._reader = None


def _utf8(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
