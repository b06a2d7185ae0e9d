"""Pure. Who may do what: roles, sessions, one-time codes, and what a failed login costs."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

SESSION_LIFE = 12 * 3600.0
"""Seconds after which a session is over."""
PROXY_LIFE = 300.0
"""Seconds after which the WebSocket of a user whom a proxy lets in ends; it may be opened again through the proxy."""
MAX_SESSIONS = 1_000
"""Of each holder."""
CODE_LIFE = 600.0
"""Seconds in which a one-time code can be used."""
MAX_CODES = 100
"""One-time codes that are remembered, the last ones."""
FREE_FAILURES = 5
"""Failed logins of one address that cost nothing but the answer."""
RECOVERY = 10.0
"""Seconds after which one of them is forgotten."""
DELAY = 1.0
"""Seconds that the answer to one more takes. A right token never waits."""
MAX_ADDRESSES = 10_000
"""Addresses whose failures are remembered, the last ones."""


class Access(enum.Enum):
    """The role of somebody; each may do what those before it may."""

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
class Grant:
    """What a login has proved.

    Attributes:
        holder: the name of a token, or what else it was
        is_good: whether it would still be granted
    """

    access: Access
    holder: str
    is_good: Callable[[], bool] = lambda: True


OWNER = Grant(Access.ADMINISTER, "a one-time code")
"""What the owner of the data folder grants by a code."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        access: what they may do
        who: how they proved it, and from where, for the audit log
        holder: whose connections are counted together
        is_welcome: whether they still would be let in: a token may be revoked, a session ends
        grant: what they can pass on by a code, which ends with it; None if they cannot
    """

    access: Access
    who: str
    holder: str = ""
    is_welcome: Callable[[], bool] = lambda: True
    grant: Grant | None = None


class Sessions:
    """The sessions that have begun. They last as long as the process.

    Args:
        new_id: makes an id that nobody can guess
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._sessions: dict[str, tuple[Grant, float]] = {}

    def begin(self, grant: Grant, now: float) -> str:
        """Begin a session; returns its id. With too many the oldest of this holder ends, and nobody else's."""
        id = self._new_id()
        alike = [other for other, (its, _) in self._sessions.items() if its.holder == grant.holder]
        if len(alike) >= MAX_SESSIONS:
            del self._sessions[alike[0]]
        self._sessions[id] = (grant, now + SESSION_LIFE)
        return id

    def find(self, id: str, now: float) -> Grant | None:
        """What the session may do; None if it is over, or what it began with is no longer good."""
        grant, end = self._sessions.get(id, (None, 0.0))
        if grant is not None and now < end and grant.is_good():
            return grant
        self._sessions.pop(id, None)
        return None

    def end(self, id: str) -> None:
        """End a session."""
        self._sessions.pop(id, None)


class Codes:
    """Codes that begin one session each, within `CODE_LIFE`.

    Args:
        new_id: makes a code that nobody can guess
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._codes: OrderedDict[str, tuple[Grant, float]] = OrderedDict()

    def make(self, grant: Grant, now: float) -> str:
        """Make a code for a session that may do what `grant` says, and ends with it."""
        code = self._new_id()
        self._codes[code] = (grant, now + CODE_LIFE)
        while len(self._codes) > MAX_CODES:
            self._codes.popitem(last=False)
        return code

    def take(self, code: str, now: float) -> Grant | None:
        """Use a code up; None if it is none, was used, is too old, or what it was made with is no longer good."""
        grant, end = self._codes.pop(code, (None, 0.0))
        return grant if grant is not None and now < end and grant.is_good() else None


class Throttle:
    """Counts the failed logins of each address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Seconds until a failure of this address is looked at again; 0 if it is now."""
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
