"""Groups of processes, joined any number of times (OTP pg)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeAlias

from actors import Ref, Target, watch
from registry.registry import Keys, Registered, Table, Unregistered

Group: TypeAlias = Hashable


class Groups(Table[int]):
    """A table of groups. A process may be in many groups, and several times in one: that number is its value.

    Made outside the tree and given to a `Registry`, as any table; `publish`, `dispatch` and `via` reach members.

    Args:
        name: tells it from other tables, in what listeners get
        listeners: who is told of every change, with `Registered` and `Unregistered`
    """

    def __init__(self, name: str = "groups", listeners: Iterable[Target] = ()) -> None:
        super().__init__(name, Keys.DUPLICATE, listeners)
        self._watchers: dict[Ref, set[Group] | None] = {}  # None: all groups

    def join(self, group: Group, *members: Ref) -> None:
        """Let `members` join; one that is in the group already is in it once more.

        Raises:
            ValueError: if one is dead; those before it have joined.
        """
        for member in members:
            self.register(group, self._joins(group, member) + 1, member)

    def leave(self, group: Group, *members: Ref) -> bool:
        """Let `members` leave, once for each time they are named; tell whether any was in the group."""
        found = False
        for member in members:
            joins = self._joins(group, member)
            found = found or joins > 0
            if joins > 1:
                self.register(group, joins - 1, member)
            else:
                self.unregister(group, member)
        return found

    def get_members(self, group: Group) -> list[Ref]:
        """The living members, in the order they joined, each as often as it is in the group."""
        return [ref for ref, joins in self.lookup(group) for _ in range(joins)]

    def get_local_members(self, group: Group) -> list[Ref]:
        """The members on this node: all of them, for there is no other."""
        return self.get_members(group)

    def which_groups(self) -> list[Group]:
        """The groups that have a living member."""
        return list(dict.fromkeys(group for group, ref, _ in self if ref.is_alive()))

    def monitor(self, watcher: Ref, *groups: Group) -> dict[Group, list[Ref]]:
        """Have `watcher` told of changes in `groups`, or in all if none is named, until `demonitor` or its end.

        It gets `Registered` and `Unregistered`, as listeners do. Returns the members at this moment.
        """
        if watcher not in self._watchers and watcher.is_alive():
            watch(watcher, lambda ref, _: self.demonitor(ref))
        if watcher.is_alive():
            known = self._watchers.get(watcher, set())
            self._watchers[watcher] = known | set(groups) if groups and known is not None else None
        return {group: self.get_members(group) for group in groups or self.which_groups()}

    def demonitor(self, watcher: Ref) -> None:
        """Tell `watcher` no more."""
        self._watchers.pop(watcher, None)

    def _joins(self, group: Group, member: Ref) -> int:
        return self._entries.get(group, {}).get(member, 0)

    def _tell(self, message: Registered | Unregistered) -> None:
        super()._tell(message)
        for watcher, groups in list(self._watchers.items()):
            if groups is None or message.key in groups:
                watcher.tell(message)
