"""Identities: an anonymous user id in a signed cookie. Pure, except for reading and writing the keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs

from canvas.board.names import clean_name
from protocol import Request
from supervision.secret_file import read_private, write_private
from supervision.server import cookie_prefix

COOKIE = "canopy"
"""The prefix of the cookie's name. It is the whole name in earlier versions, whose cookies are still read."""
MAX_AGE = 365 * 24 * 3600
"""Seconds for which a browser keeps the cookie."""
KEY = "identity.key"
"""The file of keys in the data folder. Each key has 32 bytes; the last one signs, and all of them verify."""
_KEY_SIZE = 32
_USER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PREFIXED = re.compile("^__(Host|Secure)-")
_COOKIE = re.compile(rf"({_USER_ID.pattern})\.([A-Za-z0-9_-]{{22}})")


def read_keys(folder: Path) -> list[bytes]:
    """Read the keys of a data folder, oldest first; create one if there are none. Only their owner may read them.

    Raises:
        OSError: if the file cannot be read or written, or has the wrong size.
    """
    path = folder / KEY
    try:
        content = read_private(path)
    except FileNotFoundError:
        content = secrets.token_bytes(_KEY_SIZE)
        write_private(path, content)
    if not content or len(content) % _KEY_SIZE:
        text = f"has {len(content)} bytes, but each key has {_KEY_SIZE}: delete it to get a new one"
        raise OSError(0, text, str(path))
    return [content[first : first + _KEY_SIZE] for first in range(0, len(content), _KEY_SIZE)]


def rotate_keys(folder: Path, keep: int) -> int:
    """Add a key that signs from the next start on, and drop all earlier ones but the last `keep`.

    Returns:
        The number of keys.

    Raises:
        OSError: if the file cannot be read or written.
    """
    keys = read_keys(folder)
    keys = [*keys[max(0, len(keys) - keep) :], secrets.token_bytes(_KEY_SIZE)]
    write_private(folder / KEY, b"".join(keys))
    return len(keys)


def read_name(query: str) -> str:
    """Read the display name from a query like `/ws?name=Ann`, cleaned by `clean_name`; empty for none."""
    return clean_name(parse_qs(query).get("name", [""])[-1])


def is_user_id(text: str) -> bool:
    """Tell whether `text` has the form of a user id."""
    return _USER_ID.fullmatch(text) is not None


class Identities:
    """Signs user ids and verifies signed ones.

    The cookie's name is derived from the key, too: cookies ignore ports, so two canvases on one host would overwrite
    each other's cookie if both had the same name.

    Args:
        keys: the last one signs, all of them verify
        path: the cookie's `Path`: browsers send the cookie to URLs below it
    """

    def __init__(self, keys: Sequence[bytes], path: str = "/") -> None:
        self._keys = {_name(key): key for key in keys}
        self._path = path
        self.cookie = _name(keys[-1])

    def read(self, request: Request) -> str | None:
        """Return the user id of a request; None if it has no cookie with a valid signature.

        A cookie with a `__Host-` or `__Secure-` prefix takes precedence: other pages of the host can set one without.
        """
        plain = None
        for line in request.headers.get_all("Cookie"):
            for pair in line.split(";"):
                name, _, value = pair.strip().partition("=")
                known = _PREFIXED.sub("", name)
                match = _COOKIE.fullmatch(value) if known.startswith(COOKIE) else None
                if match is None or not self._is_ours(match[1], match[2]):
                    continue
                if known != name:
                    return match[1]
                plain = plain or match[1]
        return plain

    def header(self, user_id: str, *, is_secure: bool) -> tuple[str, str]:
        """Return the `Set-Cookie` header for a user; the cookie lasts for `MAX_AGE` from now."""
        signature, prefix = _sign(self._keys[self.cookie], user_id), cookie_prefix(self._path) if is_secure else ""
        attributes = f"Path={self._path}; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax" + ("; Secure" if is_secure else "")
        return "Set-Cookie", f"{prefix}{self.cookie}={user_id}.{signature}; {attributes}"

    def _is_ours(self, user_id: str, signature: str) -> bool:
        return any(hmac.compare_digest(_sign(key, user_id), signature) for key in self._keys.values())


def _name(key: bytes) -> str:
    return f"{COOKIE}_{hmac.digest(key, b'the name of the cookie', hashlib.sha256)[:4].hex()}"


def _sign(key: bytes, user_id: str) -> str:
    digest = hmac.digest(key, user_id.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
