"""Pure. The rules of a supervisor: restart groups, limits, back-off and automatic shutdown (OTP supervisor)."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable
from itertools import dropwhile
from typing import Final, TypeVar

from actors import ExitReason, Shutdown, is_clean
from supervision.child_spec import Backoff, BadCombination, ChildSpec, DuplicateId, Limit, Restart

T = TypeVar("T")

GAVE_UP: Final = Shutdown("reached_max_restart_intensity")
"""The exit reason of a supervisor whose children failed too often. To its parent this is an orderly end, as in OTP; but
for an application it is a failure."""


class Strategy(enum.Enum):
    """Which children restart when one fails."""

    ONE_FOR_ONE = "one_for_one"
    """Only that child."""
    ONE_FOR_ALL = "one_for_all"
    """All children."""
    REST_FOR_ONE = "rest_for_one"
    """That child and those started after it."""


class RestartWindow:
    """The restarts within the last `limit.period` seconds. Adding one takes constant time on average."""

    __slots__ = ("_times", "limit")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._times: deque[float] = deque()

    def __len__(self) -> int:
        return len(self._times)

    def add(self, now: float) -> bool:
        """Add a restart at `now`, in seconds of a clock that never goes back. Returns whether the limit is kept."""
        times = self._times
        times.append(now)
        while now - times[0] > self.limit.period:
            times.popleft()
        return len(times) <= self.limit.count


class AutoShutdown(enum.Enum):
    """Whether a supervisor ends with `shutdown` when its significant children end by themselves."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


def group(strategy: Strategy, children: Iterable[T], failed: T) -> list[T]:
    """Return the children that restart with `failed`, in start order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return [failed]
        case Strategy.ONE_FOR_ALL:
            return list(children)
        case Strategy.REST_FOR_ONE:
            return list(dropwhile(lambda child: child != failed, children))


def is_restarted(restart: Restart, reason: ExitReason) -> bool:
    """Whether a child that ended with `reason` is restarted."""
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return not is_clean(reason)
        case Restart.TEMPORARY:
            return False


def restart_delay(backoff: Backoff, attempt: int, chance: float) -> float:
    """Return the wait before a restart, in seconds.

    Args:
        backoff: the parameters
        attempt: number of restarts since the child last lived longer than `backoff.maximum`
        chance: random number from [0, 1)
    """
    try:
        delay = min(backoff.maximum, backoff.first * backoff.factor**attempt)
    except OverflowError:
        delay = backoff.maximum
    return delay * (1 - backoff.jitter * chance)


def ends_supervisor(policy: AutoShutdown, ended: bool, others: bool) -> bool:
    """Whether a supervisor ends because a child has ended by itself.

    Args:
        policy: of the supervisor
        ended: whether that child is significant
        others: whether another significant child is active
    """
    match policy:
        case AutoShutdown.NEVER:
            return False
        case AutoShutdown.ANY_SIGNIFICANT:
            return ended
        case AutoShutdown.ALL_SIGNIFICANT:
            return ended and not others


def refuse_child(spec: ChildSpec, policy: AutoShutdown) -> BadCombination | None:
    """Return why `spec` cannot be a child under `policy`, or None."""
    if not spec.significant:
        return None
    if policy is AutoShutdown.NEVER:
        return BadCombination("auto_shutdown", policy, "significant", True)
    if spec.restart is Restart.PERMANENT:
        return BadCombination("restart", spec.restart, "significant", True)
    return None


def refuse_children(specs: Iterable[ChildSpec], policy: AutoShutdown) -> DuplicateId | BadCombination | None:
    """Return why `specs` cannot be the children of one supervisor, or None."""
    ids = set()
    for spec in specs:
        if spec.id in ids:
            return DuplicateId(spec.id)
        ids.add(spec.id)
        reason = refuse_child(spec, policy)
        if reason is not None:
            return reason
    return None
