"""Groups of processes, joined any number of times (OTP pg)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final, TypeAlias

from actors import Ref, Target, watch
from actors.describe import name_of
from actors.guard import attempt
from registry.registry import Keys, Registered, Table, Unregistered

Group: TypeAlias = Hashable

_ALL_GROUPS: Final = object()
"""The key of the processes that monitor all groups."""


class Groups(Table[int]):
    """A table of groups. A process may join many groups, and one group several times: the count is its value.

    Like any table, create it outside the tree and pass it to a `Registry`; `publish`, `dispatch` and `via` reach the
    members.

    Args:
        name: identifies the table in the messages to listeners
        listeners: receive `Registered` and `Unregistered` for each change
    """

    def __init__(self, name: str = "groups", listeners: Iterable[Target] = ()) -> None:
        super().__init__(name, Keys.DUPLICATE, listeners)
        self._watchers = Table[None](f"watchers of {name}", Keys.DUPLICATE)  # registered under each group they monitor
        self._unwatch: dict[Ref, Callable[[], None]] = {}

    def join(self, group: Group, *members: Ref) -> None:
        """Add `members` to a group; one that is already in it joins once more.

        Raises:
            ValueError: if one of them is dead; then none joins.
        """
        for member in members:
            if not member.is_alive():
                raise ValueError(f"{member!r} is dead and cannot join {name_of(group)}")
        entry = self._find(group)
        for member in members:
            self._put(entry, member, entry.holders.get(member, 0) + 1)

    def leave(self, group: Group, *members: Ref) -> bool:
        """Remove `members` from a group, one join for each time they are named; return whether any was in it."""
        entry = self._find(group)
        found = any(member in entry.holders for member in members)
        for member in members:
            if entry.holders.get(member, 0) > 1:
                self._put(entry, member, entry.holders[member] - 1)
            else:
                self._drop(entry, member)
        return found

    def get_members(self, group: Group) -> list[Ref]:
        """Return the living members in the order in which they joined, each as often as it has joined."""
        return [ref for ref, joins in self.lookup(group) for _ in range(joins)]

    def which_groups(self) -> list[Group]:
        """Return the groups that have a living member."""
        return [entry.key for entry in self._entries.values() if any(ref.is_alive() for ref in entry.holders)]

    def monitor(self, watcher: Ref, *groups: Group) -> dict[Group, list[Ref]]:
        """Notify `watcher` of changes in `groups`, by default in all groups, until `demonitor` or its exit.

        It receives `Registered` and `Unregistered`, as listeners do. Return the current members of these groups.
        """
        members = {group: self.get_members(group) for group in groups or self.which_groups()}
        if watcher.is_alive():
            if watcher not in self._unwatch:
                self._unwatch[watcher] = watch(watcher, lambda ref, _: self.demonitor(ref))
            if not groups:
                self._watchers.forget(watcher)
            if not self._monitors(watcher, _ALL_GROUPS):
                for group in groups or (_ALL_GROUPS,):
                    self._watchers.register(group, None, watcher)
        return members

    def demonitor(self, watcher: Ref) -> None:
        """Stop notifying `watcher`."""
        unwatch = self._unwatch.pop(watcher, None)
        if unwatch is not None:
            unwatch()
            self._watchers.forget(watcher)

    def _monitors(self, watcher: Ref, group: Group) -> bool:
        return watcher in self._watchers._find(group).holders

    def _notify(self, message: Registered | Unregistered) -> None:
        super()._notify(message)
        for group in (message.key, _ALL_GROUPS):
            for watcher, _ in attempt(self._watchers.lookup, group, default=()):
                self._send(watcher, message)
