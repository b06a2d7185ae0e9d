"""The tokens of a data folder: named tokens, stored as hashes, and two plain tokens that the folder's owner can read.

Each check of a token first reads the files that have changed, so an added or revoked token takes effect at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from actors.log import get_logger
from supervision.console.api.principals import Access
from supervision.secret_file import UnsafeFile, read_private, write_private

log = get_logger("canopy.console")

FILE = "tokens.json"
"""The file in the data folder with the hashes of the named tokens."""
PLAIN = {"console-token": Access.ADMINISTER, "console-token-read": Access.LOOK}
"""The files with one plain token each, and its role. The token has the name of its file."""

_MIN_LENGTH = 32  # characters of a plain token
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret.

    Attributes:
        name: unique in a data folder
        access: the role that it gives
        digest: the SHA-256 of the secret
        made, expires: seconds since 1970; `expires` is None for a token that does not expire
    """

    name: str
    access: Access
    digest: str
    made: float = 0.0
    expires: float | None = None


class BadToken(Exception):
    """A token cannot be added or revoked, or the token file is damaged; the message gives the reason."""


class Tokens:
    """The tokens that authenticate clients of a console.

    Args:
        folder: the data folder
        wall_clock: seconds since 1970
    """

    def __init__(self, folder: Path, wall_clock: Callable[[], float]) -> None:
        self._folder = folder
        self._wall_clock = wall_clock
        self._seen: dict[str, object] = {}
        self._read: dict[str, dict[str, Token]] = {}

    def find(self, secret: str) -> Token | None:
        """Return the token with this secret; None if there is none, or it has expired."""
        digest = hash_of(secret)
        self._refresh()
        token = next((tokens[digest] for tokens in self._read.values() if digest in tokens), None)
        return token if token is not None and self._is_good(token) else None

    def holds(self, token: Token) -> bool:
        """Tell whether a token is still valid: it exists with the same role, and has not expired."""
        self._refresh()
        return any(tokens.get(token.digest) == token for tokens in self._read.values()) and self._is_good(token)

    def _is_good(self, token: Token) -> bool:
        return token.expires is None or self._wall_clock() < token.expires

    def _refresh(self) -> None:
        """Read the files that have changed. A file that cannot be read, or has unsafe permissions, has no tokens."""
        for name in (FILE, *PLAIN):
            path, before = self._folder / name, self._seen.get(name, "")
            seen = _fingerprint(path)
            if seen == before:
                continue
            try:
                found = [] if seen is None else read_tokens(path) if name == FILE else [_read_plain(path)]
            except (OSError, BadToken) as error:
                found = []
                if not isinstance(error, UnsafeFile | BadToken):
                    seen = str(error)  # such as too many open files: the next attempt may succeed on the same file
                if seen != before:
                    log.error("console.tokens_refused", file=str(path), error=str(error))
            self._seen[name] = seen
            self._read[name] = {token.digest: token for token in found}


def hash_of(secret: str) -> str:
    """Return the SHA-256 of a secret. With 256 random bits, neither a slow hash nor a constant-time check is needed."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def create_plain_tokens(folder: Path) -> None:
    """Create the plain token files that are missing or damaged.

    Raises:
        OSError: if a file cannot be created, or has unsafe permissions.
    """
    for name in PLAIN:
        path = folder / name
        try:
            _read_plain(path)
        except (FileNotFoundError, BadToken):
            write_private(path, secrets.token_urlsafe(32).encode() + b"\n")


def read_tokens(path: Path) -> list[Token]:
    """Read the named tokens.

    Raises:
        BadToken: if the file is damaged.
        OSError: if the file cannot be read, or has unsafe permissions.
    """
    try:
        return [_parse(each) for each in orjson.loads(read_private(path))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError) as error:
        raise BadToken(f"{path} is damaged ({error}): repair it, or delete it and add the tokens again") from None


def add_token(folder: Path, name: str, access: Access, now: float, seconds: float | None) -> str:
    """Add a token; returns its secret, which is not stored.

    Args:
        now: seconds since 1970
        seconds: until the token expires; None if it does not

    Raises:
        BadToken: if the name is taken or invalid, or the file is damaged.
        OSError: if the file cannot be read or written, or has unsafe permissions.
    """
    if _NAME.fullmatch(name) is None or name in PLAIN:
        raise BadToken(f"a token's name has up to 64 letters, digits or any of . _ @ -, got {name!r}")
    secret = secrets.token_urlsafe(32)
    with _locked(folder):
        kept = [each for each in read_tokens(folder / FILE) if each.expires is None or now < each.expires]
        if any(each.name == name for each in kept):
            raise BadToken(f"there is already a token {name}: revoke it, or choose another name")
        expires = None if seconds is None else now + seconds
        _write(folder, [*kept, Token(name, access, hash_of(secret), now, expires)])
    return secret


def revoke_token(folder: Path, name: str) -> None:
    """Revoke a token, and end the sessions that began with it.

    Raises:
        BadToken: if there is no token of this name, or the file is damaged.
        OSError: if the file cannot be read or written, or has unsafe permissions.
    """
    with _locked(folder):
        kept = read_tokens(folder / FILE)
        if name in PLAIN and (folder / name).exists():
            (folder / name).unlink()
        elif any(each.name == name for each in kept):
            _write(folder, [each for each in kept if each.name != name])
        else:
            raise BadToken(f"there is no token {name}")


def list_tokens(folder: Path) -> list[Token]:
    """Return all tokens of a data folder, expired ones included.

    Raises:
        BadToken: if a file is damaged.
        OSError: if a file cannot be read, or has unsafe permissions.
    """
    plain = [_read_plain(folder / name) for name in PLAIN if (folder / name).exists()]
    return [*plain, *read_tokens(folder / FILE)]


def _write(folder: Path, tokens: list[Token]) -> None:
    fields = [
        {
            "name": each.name,
            "access": each.access.value,
            "sha256": each.digest,
            "made": each.made,
            "expires": each.expires,
        }
        for each in tokens
    ]
    write_private(folder / FILE, orjson.dumps(fields, option=orjson.OPT_INDENT_2) + b"\n")


def _parse(kept: dict[str, object]) -> Token:
    expires = kept["expires"]
    return Token(
        str(kept["name"]),
        Access(kept["access"]),
        str(kept["sha256"]),
        float(str(kept["made"])),
        None if expires is None else float(str(expires)),
    )


def _read_plain(path: Path) -> Token:
    secret = read_private(path).decode(errors="replace").strip()
    if len(secret) < _MIN_LENGTH or not secret.isascii():
        raise BadToken(f"{path} has no token of at least {_MIN_LENGTH} characters: delete it to get a new one")
    return Token(path.name, PLAIN[path.name], hash_of(secret))


def _fingerprint(path: Path) -> object:
    """Return a value that changes when the file does; None if there is no file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock under which one OS process at a time changes the tokens of a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
