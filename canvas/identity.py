"""Who somebody is: an anonymous id in a signed cookie, so that whoever comes back is the same. Pure but for the key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from urllib.parse import parse_qs

from canvas.files import sync
from canvas.names import clean_name
from protocol import Request

COOKIE = "canopy"
"""The cookie's name begins so. Earlier versions called it so: it is still read."""
MAX_AGE = 365 * 24 * 3600
"""Seconds a browser keeps it."""
KEY = "identity.key"
"""The file in the data folder with the key that signs."""
_KEY_SIZE = 32
_USER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COOKIE = re.compile(rf"({_USER_ID.pattern})\.([A-Za-z0-9_-]{{22}})")


def read_key(folder: Path) -> bytes:
    """Read the key of a data folder, or make one; only its owner may read it.

    Raises:
        OSError: if that cannot be.
    """
    path = folder / KEY
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(_KEY_SIZE)
        draft = folder / f"{KEY}.new"
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
        sync(draft)
        draft.rename(path)
        sync(folder)
    if len(key) != _KEY_SIZE:
        raise OSError(0, f"has {len(key)} bytes, where a key has {_KEY_SIZE}: delete it to have a new one", str(path))
    return key


def read_name(query: str) -> str:
    """Read the name that somebody gives themselves, `/ws?name=Ann`, as `clean_name` leaves it; empty for none."""
    return clean_name(parse_qs(query).get("name", [""])[-1])


def is_user_id(text: str) -> bool:
    """Tell whether `text` has the form of the id of a user."""
    return _USER_ID.fullmatch(text) is not None


class Identities:
    """Signs ids, and reads back those that it signed.

    The cookie's name comes from the key as well: cookies know no ports, so two canvases on one host would overwrite
    each other's cookie under the same name.

    Args:
        key: signs
        path: below which browsers send the cookie
    """

    def __init__(self, key: bytes, path: str = "/") -> None:
        self._key = key
        self._path = path
        self.cookie = f"{COOKIE}_{hmac.digest(key, b'the name of the cookie', hashlib.sha256)[:4].hex()}"

    def read(self, request: Request) -> str | None:
        """Tell who sends a request; None if it does not say, or the cookie was made up or signed with another key."""
        for line in request.headers.get_all("Cookie"):
            for pair in line.split(";"):
                name, _, value = pair.strip().partition("=")
                match = _COOKIE.fullmatch(value) if name in (self.cookie, COOKIE) else None
                if match is not None and hmac.compare_digest(self._sign(match[1]), match[2]):
                    return match[1]
        return None

    def header(self, user_id: str, *, is_secure: bool) -> tuple[str, str]:
        """The header that has a browser remember who it is, for `MAX_AGE` from now on."""
        attributes = f"Path={self._path}; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax" + ("; Secure" if is_secure else "")
        return "Set-Cookie", f"{self.cookie}={user_id}.{self._sign(user_id)}; {attributes}"

    def _sign(self, user_id: str) -> str:
        digest = hmac.digest(self._key, user_id.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
