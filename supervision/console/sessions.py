"""Pure. Who may do what: tokens, the sessions that begin with one, and what a failed login costs."""

from __future__ import annotations

import enum
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

SESSION_LIFE = 12 * 3600.0
"""Seconds after which a session is over."""
MAX_SESSIONS = 1_000
"""Of each access."""
FREE_FAILURES = 5
"""Failed logins of one address that cost nothing but the answer."""
RECOVERY = 10.0
"""Seconds after which one of them is forgotten."""
MAX_ADDRESSES = 10_000
"""Addresses whose failures are remembered, the last ones."""


class Access(enum.Enum):
    """What somebody may do; each includes what stands before it."""

    LOOK = "look"
    """See what runs."""
    MODERATE = "moderate"
    """Act on people: disconnect, ban, roll back."""
    ADMINISTER = "administer"
    """Act on the system, and see the state and the messages of actors."""

    def covers(self, needed: Access) -> bool:
        """Tell whether this is enough for what needs `needed`."""
        levels = list(Access)
        return levels.index(self) >= levels.index(needed)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        access: what they may do
        who: how they proved it, and from where, for the audit log
        is_welcome: whether they still would be let in: a token lasts, a session ends
    """

    access: Access
    who: str
    is_welcome: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True)
class Tokens:
    """The two secrets."""

    admin: str = field(repr=False)
    read: str = field(repr=False)

    def access(self, token: str) -> Access | None:
        """What `token` opens. Takes as long for a wrong one as for a right one."""
        given = token.encode("utf-8", "replace")
        is_admin = hmac.compare_digest(given, self.admin.encode())
        is_read = hmac.compare_digest(given, self.read.encode())
        if is_admin:
            return Access.ADMINISTER
        return Access.LOOK if is_read else None


class Sessions:
    """The sessions that have begun. They last as long as the process.

    Args:
        new_id: makes an id that nobody can guess
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._sessions: dict[str, tuple[Access, float]] = {}

    def begin(self, access: Access, now: float) -> str:
        """Begin a session; returns its id. With too many the oldest of this access ends: readers end no admin's."""
        id = self._new_id()
        alike = [other for other, (its, _) in self._sessions.items() if its is access]
        if len(alike) >= MAX_SESSIONS:
            del self._sessions[alike[0]]
        self._sessions[id] = (access, now + SESSION_LIFE)
        return id

    def access(self, id: str, now: float) -> Access | None:
        """What the session may do; None if it is over."""
        access, end = self._sessions.get(id, (None, 0.0))
        if now < end:
            return access
        self._sessions.pop(id, None)
        return None

    def end(self, id: str) -> None:
        """End a session."""
        self._sessions.pop(id, None)


class Throttle:
    """Counts the failed logins of each address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Seconds until this address may try again; 0 if it may now."""
        return max(0.0, (self._level(address, now) - FREE_FAILURES + 1) * RECOVERY)

    def fail(self, address: str, now: float) -> None:
        """Note a failure."""
        self._failures[address] = (self._level(address, now) + 1, now)
        self._failures.move_to_end(address)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def _level(self, address: str, now: float) -> float:
        count, at = self._failures.get(address, (0.0, now))
        return max(0.0, count - (now - at) / RECOVERY)
