"""Pure. The opening handshake (RFC 6455 §4): validating a request and building the 101."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from protocol.http import HttpError, Request, Response, encode_response, is_token

_WEBSOCKET = (("Upgrade", "websocket"), ("Connection", "Upgrade"))  # required in a 426 (RFC 9110 §15.5.22)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Extension(NamedTuple):
    """One extension as offered or agreed; the value of a parameter without one is None (RFC 6455 §9.1)."""

    name: str
    params: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        return "; ".join([self.name, *(key if value is None else f"{key}={value}" for key, value in self.params)])


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A valid client handshake (RFC 6455 §4.2.1)."""

    key: str
    subprotocols: tuple[str, ...] = ()
    extensions: tuple[Extension, ...] = ()
    origin: str | None = None


def accept_key(key: str) -> str:
    """Compute Sec-WebSocket-Accept (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def is_upgrade(request: Request) -> bool:
    """Return whether the client requests a WebSocket, validly or not; see `validate`."""
    return "websocket" in _lowered(request, "upgrade")


def validate(request: Request) -> Upgrade:
    """Validate the client's handshake (RFC 6455 §4.2.1).

    Raises:
        HttpError: the answer to its first mistake.
    """
    if request.method in ("GET", "HEAD") and not is_upgrade(request):
        raise HttpError(426, "This is a WebSocket endpoint: Upgrade must name websocket (RFC 6455 §4.2.1)", _WEBSOCKET)
    if request.method != "GET":
        raise HttpError(405, "A WebSocket handshake must be a GET (RFC 6455 §4.1)", (("Allow", "GET"),))
    if request.version < (1, 1):
        raise HttpError(505, "A WebSocket handshake needs HTTP/1.1 or later (RFC 6455 §4.1)")
    if "upgrade" not in _lowered(request, "connection"):
        raise HttpError(400, "Connection must name Upgrade (RFC 6455 §4.2.1)")
    if not request.host:
        raise HttpError(400, "Host is missing (RFC 6455 §4.2.1)")
    if request.body:
        raise HttpError(400, "A WebSocket handshake has no body (RFC 6455 §4.1)")
    _check_version(request)
    return Upgrade(_key(request), _subprotocols(request), _extensions(request), _origin(request))


def choose_subprotocol(offered: Iterable[str], supported: Iterable[str]) -> str | None:
    """Return the first offered subprotocol that is supported, or None: the client's order decides (RFC 6455 §4.1)."""
    known = frozenset(supported)
    return next((name for name in offered if name in known), None)


def accept_response(
    upgrade: Upgrade,
    subprotocol: str | None = None,
    extensions: Iterable[Extension] = (),
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Encode the 101 (RFC 6455 §4.2.2).

    Raises:
        ValueError: if the client did not offer the subprotocol or an extension.
    """
    agreed = tuple(extensions)
    if subprotocol is not None and subprotocol not in upgrade.subprotocols:
        raise ValueError(f"subprotocol {subprotocol!r} was not offered")
    if not {extension.name for extension in agreed} <= {offer.name for offer in upgrade.extensions}:
        raise ValueError(f"extensions {agreed!r} were not offered")
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_key(upgrade.key)),
    ]
    if subprotocol is not None:
        fields.append(("Sec-WebSocket-Protocol", subprotocol))
    if agreed:
        fields.append(("Sec-WebSocket-Extensions", ", ".join(map(str, agreed))))
    return encode_response(Response(101, (*fields, *headers)))


_PARAM = re.compile(
    r"""[ \t]*;[ \t]*
        (?P<name> [^\s;,="]+ )
        (?: [ \t]*=[ \t]* (?: (?P<token> [^\s;,="]+ ) | "(?P<quoted> (?: [^"\\] | \\. )* )" ) )?""",
    re.VERBOSE,
)
_NAME = re.compile(r"[ \t]*([^\s;,=\"]+)")
_SEPARATOR = re.compile(r"[ \t]*(?:,[ \t,]*|$)")
_MALFORMED_EXTENSIONS = "Sec-WebSocket-Extensions is malformed (RFC 6455 §9.1)"


def parse_extensions(value: str) -> tuple[Extension, ...]:
    """Parse one Sec-WebSocket-Extensions line (RFC 6455 §9.1).

    Raises:
        HttpError: 400 if it is malformed.
    """
    offers: list[Extension] = []
    position = len(value) - len(value.lstrip(" \t,"))
    while position < len(value):
        match = _NAME.match(value, position)
        if match is None or not is_token(match[1]):
            raise HttpError(400, _MALFORMED_EXTENSIONS)
        params, position = _parse_params(value, match.end())
        offers.append(Extension(match[1], params))
        separator = _SEPARATOR.match(value, position)
        if separator is None:
            raise HttpError(400, _MALFORMED_EXTENSIONS)
        position = separator.end()
    return tuple(offers)


def _parse_params(value: str, position: int) -> tuple[tuple[tuple[str, str | None], ...], int]:
    params: list[tuple[str, str | None]] = []
    while match := _PARAM.match(value, position):
        position = match.end()
        # "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST conform to
        # the 'token' ABNF." (RFC 6455 §9.1)
        setting = match["token"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
        if not is_token(match["name"]) or not (setting is None or is_token(setting)):
            raise HttpError(400, _MALFORMED_EXTENSIONS)
        params.append((match["name"], setting))
    return tuple(params), position


def _lowered(request: Request, name: str) -> list[str]:
    return [token.lower() for token in request.headers.tokens(name)]


def _check_version(request: Request) -> None:
    versions = request.headers.get_all("sec-websocket-version")
    if len(versions) > 1:
        raise HttpError(400, "Sec-WebSocket-Version must not appear more than once (RFC 6455 §11.3.5)")
    if versions != ["13"]:
        spoken = (*_WEBSOCKET, ("Sec-WebSocket-Version", "13"))
        raise HttpError(426, "Sec-WebSocket-Version must be 13 (RFC 6455 §4.4)", spoken)


def _key(request: Request) -> str:
    keys = request.headers.get_all("sec-websocket-key")
    if len(keys) != 1:
        raise HttpError(400, f"Sec-WebSocket-Key must appear once, got {len(keys)} (RFC 6455 §11.3.1)")
    try:
        nonce = base64.b64decode(keys[0], validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != 16 or len(keys[0]) != 24:
        raise HttpError(400, "Sec-WebSocket-Key must be 16 bytes in base64 (RFC 6455 §4.2.1)")
    return keys[0]


def _subprotocols(request: Request) -> tuple[str, ...]:
    names = request.headers.tokens("sec-websocket-protocol")
    if not names and "sec-websocket-protocol" in request.headers:
        raise HttpError(400, "Sec-WebSocket-Protocol is empty (RFC 6455 §4.1)")
    if not all(map(is_token, names)):
        raise HttpError(400, "Sec-WebSocket-Protocol must be a list of tokens (RFC 6455 §4.1)")
    if len(set(names)) != len(names):
        raise HttpError(400, "Sec-WebSocket-Protocol names a subprotocol twice (RFC 6455 §4.1)")
    return tuple(names)


def _extensions(request: Request) -> tuple[Extension, ...]:
    lines = request.headers.get_all("sec-websocket-extensions")
    offers = tuple(offer for line in lines for offer in parse_extensions(line))
    if lines and not offers:
        raise HttpError(400, _MALFORMED_EXTENSIONS)
    return offers


def _origin(request: Request) -> str | None:
    origins = request.headers.get_all("origin")
    if len(origins) > 1:
        raise HttpError(400, "Origin must not appear more than once (RFC 6454 §7.3)")
    return origins[0] if origins else None
