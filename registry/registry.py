"""One process per registry: names, groups and topics, looked up without a message (Elixir's Registry).

The entries stand in a `Table` that outlives the process, as an ETS table goes to its heir: when the registry crashes,
its successor takes the table over and loses nothing. Registering and looking up read and write the table at once, on
the thread of the event loop; the process removes the entries of the dead.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from actors import Down, GenServer, Monitor, Ref, Scheduler, Target, cast, send
from actors.guard import attempt
from actors.portable import PortableException

V = TypeVar("V")
Key = Hashable


class Keys(enum.Enum):
    """How many processes may hold one key."""

    UNIQUE = "unique"
    """One: the key is a name."""
    DUPLICATE = "duplicate"
    """Any number: the key is a group or topic."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What a listener is told: `ref` holds `key` now."""

    table: str
    key: Key
    ref: Ref
    value: Any


@dataclass(frozen=True, slots=True)
class Unregistered:
    """What a listener is told: `ref` does not hold `key` any more, by its own will or because it is dead."""

    table: str
    key: Key
    ref: Ref
    value: Any


class AlreadyRegistered(PortableException):
    """The key is held by `ref` already."""

    def __init__(self, key: Key, ref: Ref) -> None:
        shown = attempt(repr, key, default=type(key).__name__)
        super().__init__(f"the key {shown} is held by {ref!r}")
        self.key = key
        self.ref = ref


@dataclass(frozen=True, slots=True)
class Watch:
    """Asks the registry to remove the entries of `ref` at its end."""

    ref: Ref


class Table(Generic[V]):
    """Keys, the processes that hold them, and a value for each. Make it outside the tree and give it to a `Registry`.

    Args:
        name: tells it from other tables, in what listeners get
        keys: whether a key may be held more than once
        listeners: who is told of every change, with `Registered` and `Unregistered`

    Attributes:
        metadata: what goes with the table, for whoever uses it (Elixir's `put_meta`)
    """

    def __init__(self, name: str, keys: Keys = Keys.UNIQUE, listeners: Iterable[Target] = ()) -> None:
        self.name = name
        self.kind = keys
        self.listeners = tuple(listeners)
        self.registry: Ref | None = None
        self.metadata: dict[Hashable, Any] = {}
        self._entries: dict[Key, dict[Ref, V]] = {}
        self._keys_of: dict[Ref, set[Key]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def register(self, key: Key, value: V, ref: Ref | None = None) -> None:
        """Let `ref`, the calling process by default, hold `key` until it gives it back or dies.

        Under a key that `ref` holds already, the value is replaced.

        Raises:
            AlreadyRegistered: if another living process holds a unique key.
            ValueError: if `ref` is dead.
        """
        ref = ref or _caller()
        if not ref.is_alive():
            raise ValueError(f"{ref!r} is dead and cannot be registered")
        holders = self._entries.setdefault(key, {})
        if self.kind is Keys.UNIQUE:
            for holder in list(holders):
                if holder is not ref and holder.is_alive():
                    raise AlreadyRegistered(key, holder)
                if holder is not ref:
                    self._remove(key, holder)
            self._entries[key] = holders
        holders[ref] = value
        if ref not in self._keys_of and self.registry is not None:
            cast(self.registry, Watch(ref))
        self._keys_of.setdefault(ref, set()).add(key)
        self._tell(Registered(self.name, key, ref, value))

    def unregister(self, key: Key, ref: Ref | None = None) -> None:
        """Give `key` back; nothing if `ref`, the calling process by default, does not hold it."""
        ref = ref or _caller()
        if ref in self._entries.get(key, ()):
            self._remove(key, ref)

    def unregister_match(self, key: Key, accepts: Callable[[V], object], ref: Ref | None = None) -> None:
        """Give `key` back if `accepts(value)`; `ref`, the calling process by default, has to hold it."""
        ref = ref or _caller()
        holders = self._entries.get(key, {})
        if ref in holders and accepts(holders[ref]):
            self._remove(key, ref)

    def update_value(self, key: Key, change: Callable[[V], V], ref: Ref | None = None) -> V:
        """Replace the value under a key that `ref`, the calling process by default, holds; returns the new one.

        Raises:
            KeyError: if `ref` does not hold the key.
        """
        ref = ref or _caller()
        holders = self._entries.get(key, {})
        if ref not in holders:
            raise KeyError(key)
        holders[ref] = value = change(holders[ref])
        self._tell(Registered(self.name, key, ref, value))
        return value

    def match(self, key: Key, accepts: Callable[[V], object]) -> list[tuple[Ref, V]]:
        """The living processes that hold `key` with a value that `accepts`, in the order they registered."""
        return [(ref, value) for ref, value in self.lookup(key) if accepts(value)]

    def count(self) -> int:
        """How many entries there are."""
        return len(self)

    def count_match(self, key: Key, accepts: Callable[[V], object]) -> int:
        """How many living processes hold `key` with a value that `accepts`."""
        return len(self.match(key, accepts))

    def lookup(self, key: Key) -> list[tuple[Ref, V]]:
        """The living processes that hold `key`, in the order they registered, each with its value."""
        return [(ref, value) for ref, value in self._entries.get(key, {}).items() if ref.is_alive()]

    def values(self, key: Key) -> Iterable[V]:
        """The values under `key`, of processes that may have died this instant. The quickest way to dispatch."""
        return self._entries.get(key, {}).values()

    def dispatch(self, key: Key, deliver: Callable[[Ref, V], object]) -> int:
        """Call `deliver(ref, value)` for every living process that holds `key`; returns for how many."""
        holders = self.lookup(key)
        for ref, value in holders:
            deliver(ref, value)
        return len(holders)

    def publish(self, key: Key, message: Any) -> int:
        """Send `message` to every living process that holds `key`; returns to how many."""
        return self.dispatch(key, lambda ref, _: ref.tell(message))

    def keys(self, ref: Ref | None = None) -> set[Key]:
        """The keys that `ref`, the calling process by default, holds."""
        return set(self._keys_of.get(ref or _caller(), ()))

    def whereis(self, key: Key) -> Ref | None:
        """The living process that holds a unique key, or the first of a duplicate one, or None."""
        return next((ref for ref in self._entries.get(key, ()) if ref.is_alive()), None)

    def via(self, key: Key) -> ViaTable:
        """A target for `call`, `cast` and `send`: whoever holds `key` at that time."""
        return ViaTable(self, key)

    def __iter__(self) -> Iterator[tuple[Key, Ref, V]]:
        """All entries: key, process, value."""
        for key, holders in list(self._entries.items()):
            for ref, value in list(holders.items()):
                yield key, ref, value

    def refs(self) -> list[Ref]:
        """The processes that hold a key."""
        return list(self._keys_of)

    def forget(self, ref: Ref) -> None:
        """Remove the entries of a process that has died."""
        for key in list(self._keys_of.get(ref, ())):
            self._remove(key, ref)

    def _remove(self, key: Key, ref: Ref) -> None:
        holders = self._entries[key]
        value = holders.pop(ref)
        if not holders:
            del self._entries[key]
        keys = self._keys_of[ref]
        keys.discard(key)
        if not keys:
            del self._keys_of[ref]
        self._tell(Unregistered(self.name, key, ref, value))

    def _tell(self, message: Registered | Unregistered) -> None:
        for listener in self.listeners:
            send(listener, message)


@dataclass(frozen=True, slots=True)
class ViaTable:
    """A name kept in a table."""

    table: Table[Any]
    key: Key

    def whereis(self) -> Ref | None:
        """The process that holds the name now."""
        return self.table.whereis(self.key)


class Registry(GenServer):
    """Keeps tables free of the dead. When it crashes, its successor takes the same tables over."""

    def init(self, *tables: Table[Any]) -> None:
        self.tables = tables
        self._watched: dict[Ref, Monitor] = {}
        for table in tables:
            table.registry = self.ref
            for ref in table.refs():
                self._watch(ref)

    def handle_cast(self, request: Any) -> Any:
        """Watch a process that registered."""
        if isinstance(request, Watch):
            self._watch(request.ref)
            return None
        return super().handle_cast(request)

    def handle_info(self, message: Any) -> Any:
        """Remove the entries of a process that ended."""
        if not isinstance(message, Down):
            return super().handle_info(message)
        ref = message.target
        assert isinstance(ref, Ref)
        del self._watched[ref]
        for table in self.tables:
            table.forget(ref)
        return None

    def _watch(self, ref: Ref) -> None:
        if ref not in self._watched:
            self._watched[ref] = self.monitor(ref)


def _caller() -> Ref:
    process = Scheduler.current().running
    if process is None:
        raise RuntimeError("only a process can hold a key: give its `ref`, or call this in one of its callbacks")
    return process.ref
