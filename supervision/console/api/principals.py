"""Pure. Authorization: roles, sessions, one-time codes, and the throttling of failed logins."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

SESSION_LIFE = 12 * 3600.0
"""Seconds after which a session expires."""
PROXY_LIFE = 300.0
"""Seconds after which the WebSocket of a user authenticated by a proxy closes; the client may reconnect through it."""
MAX_SESSIONS = 1_000
"""Sessions per name of a grant."""
CODE_LIFE = 600.0
"""Seconds for which a one-time code is valid."""
MAX_CODES = 100
"""Unused one-time codes that are kept; a new one displaces the oldest."""
FREE_FAILURES = 5
"""Failed logins per address that are answered without a delay."""
RECOVERY = 10.0
"""Seconds after which one failed login is forgotten."""
DELAY = 1.0
"""Seconds by which the answer to a further failed login is delayed. A valid token is never delayed."""
MAX_ADDRESSES = 10_000
"""Addresses whose failed logins are kept; a new one displaces the oldest."""


class Access(enum.Enum):
    """A role. Each includes the ones before it."""

    LOOK = "look"
    """Inspect the system."""
    MODERATE = "moderate"
    """Act on users: disconnect, ban, roll back."""
    ADMINISTER = "administer"
    """Act on the system, and see the state and the messages of actors."""

    def covers(self, required: Access) -> bool:
        """Tell whether this role includes `required`."""
        levels = list(Access)
        return levels.index(self) >= levels.index(required)


@dataclass(frozen=True, slots=True)
class Grant:
    """The access that a credential gives.

    Attributes:
        name: the name of the token, or "a one-time code"
        is_good: tells whether the credential is still valid
    """

    access: Access
    name: str
    is_good: Callable[[], bool] = lambda: True


OWNER = Grant(Access.ADMINISTER, "a one-time code")
"""The access that a one-time code gives if the owner of the data folder creates it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated client of the console.

    Attributes:
        access: the role
        who: the credential and the address, for the audit log
        name: the name of the token or user; connections and inspections are limited per name
        is_welcome: tells whether the credential is still valid: a token may be revoked, a session expires
        grant: the access that a one-time code created by this principal gives, and whose end ends it; None if the
            principal may not create codes
    """

    access: Access
    who: str
    name: str = ""
    is_welcome: Callable[[], bool] = lambda: True
    grant: Grant | None = None


class Sessions:
    """The open sessions. They end with the OS process.

    Args:
        new_id: returns an unguessable id
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._sessions: dict[str, tuple[Grant, float]] = {}

    def begin(self, grant: Grant, now: float) -> str:
        """Begin a session; returns its id. Beyond `MAX_SESSIONS`, the oldest session of the same name ends."""
        id = self._new_id()
        same_name = [other for other, (its, _) in self._sessions.items() if its.name == grant.name]
        if len(same_name) >= MAX_SESSIONS:
            del self._sessions[same_name[0]]
        self._sessions[id] = (grant, now + SESSION_LIFE)
        return id

    def find(self, id: str, now: float) -> Grant | None:
        """Return the access of a session; None if it has ended, or its credential is no longer valid."""
        grant, end = self._sessions.get(id, (None, 0.0))
        if grant is not None and now < end and grant.is_good():
            return grant
        self._sessions.pop(id, None)
        return None

    def end(self, id: str) -> None:
        """End a session."""
        self._sessions.pop(id, None)


class Codes:
    """One-time codes: each begins one session, within `CODE_LIFE` seconds.

    Args:
        new_id: returns an unguessable code
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._codes: OrderedDict[str, tuple[Grant, float]] = OrderedDict()

    def make(self, grant: Grant, now: float) -> str:
        """Create a code for a session with the access of `grant`, which ends with it."""
        code = self._new_id()
        self._codes[code] = (grant, now + CODE_LIFE)
        while len(self._codes) > MAX_CODES:
            self._codes.popitem(last=False)
        return code

    def take(self, code: str, now: float) -> Grant | None:
        """Consume a code; None if it is unknown, used or expired, or the grant behind it is no longer valid."""
        grant, end = self._codes.pop(code, (None, 0.0))
        return grant if grant is not None and now < end and grant.is_good() else None


class Throttle:
    """Counts the failed logins of each address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Return the seconds for which failed logins of this address are throttled; 0 if they are not."""
        return max(0.0, (self._level(address, now) - FREE_FAILURES + 1) * RECOVERY)

    def fail(self, address: str, now: float) -> None:
        """Count a failed login."""
        self._failures[address] = (self._level(address, now) + 1, now)
        self._failures.move_to_end(address)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def _level(self, address: str, now: float) -> float:
        count, at = self._failures.get(address, (0.0, now))
        return max(0.0, count - (now - at) / RECOVERY)
