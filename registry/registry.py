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
from actors.describe import name_of
from actors.guard import attempt
from actors.log import get_logger
from actors.portable import PortableException
from actors.shown import shown

log = get_logger("canopy.registry")

V = TypeVar("V")
Key = Hashable


class Keys(enum.Enum):
    """How many processes may hold one key."""

    UNIQUE = "unique"
    """One: the key is a name."""
    DUPLICATE = "duplicate"
    """Any number: the key is a group or topic."""


@shown("table")
@dataclass(frozen=True, slots=True)
class Registered:
    """What a listener is told: `ref` holds `key` now."""

    table: str
    key: Key
    ref: Ref
    value: Any


@shown("table")
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
        super().__init__(f"the key {name_of(key)} is held by {ref!r}")
        self.key = key
        self.ref = ref


@dataclass(frozen=True, slots=True)
class Watch:
    """Asks the registry to remove the entries of `ref` at its end."""

    ref: Ref


class _Entry(Generic[V]):
    """A key and its holders. Equal and hashed by identity, so that to know one by it calls no code of the key's."""

    __slots__ = ("holders", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.holders: dict[Ref, V] = {}


@shown("name")
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
        for listener in self.listeners:
            if not isinstance(listener, Ref | str) and not hasattr(listener, "whereis"):
                raise TypeError(f"a listener must be a reference, a name or a `Via`, got {listener!r}")
        self.registry: Ref | None = None
        self.metadata: dict[Hashable, Any] = {}
        self._entries: dict[Key, _Entry[V]] = {}
        self._keys_of: dict[Ref, dict[_Entry[V], None]] = {}

    def __len__(self) -> int:
        return sum(len(entry.holders) for entry in self._entries.values())

    def register(self, key: Key, value: V, ref: Ref | None = None) -> None:
        """Let `ref`, the calling process by default, hold `key` until it gives it back or dies.

        Under a key that `ref` holds already, the value is replaced.

        Raises:
            AlreadyRegistered: if another living process holds a unique key.
            TypeError: if the key is not hashable.
            ValueError: if `ref` is dead.
        """
        ref = ref or _caller()
        if not ref.is_alive():
            raise ValueError(f"{ref!r} is dead and cannot be registered")
        entry = self._find(key)
        if self.kind is Keys.UNIQUE:
            for holder in list(entry.holders):
                if holder is not ref and holder.is_alive():
                    raise AlreadyRegistered(key, holder)
                if holder is not ref:
                    self._drop(entry, holder)
        self._put(entry, ref, value)

    def unregister(self, key: Key, ref: Ref | None = None) -> None:
        """Give `key` back; nothing if `ref`, the calling process by default, does not hold it."""
        self.unregister_match(key, lambda _: True, ref)

    def unregister_match(self, key: Key, accepts: Callable[[V], object], ref: Ref | None = None) -> None:
        """Give `key` back if `accepts(value)`; nothing if `ref`, the calling process by default, does not hold it."""
        ref = ref or _caller()
        entry = self._find(key)
        if ref in entry.holders and accepts(entry.holders[ref]):
            self._drop(entry, ref)

    def update_value(self, key: Key, change: Callable[[V], V], ref: Ref | None = None) -> V:
        """Replace the value under a key that `ref`, the calling process by default, holds; returns the new one.

        Raises:
            KeyError: if `ref` does not hold the key, or `change` gave it back.
        """
        ref = ref or _caller()
        entry = self._find(key)
        if ref not in entry.holders:
            raise KeyError(key)
        value = change(entry.holders[ref])
        entry = self._find(key)
        if ref not in entry.holders:
            raise KeyError(key)
        self._put(entry, ref, value)
        return value

    def match(self, key: Key, accepts: Callable[[V], object]) -> list[tuple[Ref, V]]:
        """The living processes that hold `key` with a value that `accepts`, in the order they registered."""
        return [(ref, value) for ref, value in self.lookup(key) if accepts(value)]

    def count_keys(self) -> int:
        """How many keys are held, by however many processes."""
        return len(self._entries)

    def count_match(self, key: Key, accepts: Callable[[V], object]) -> int:
        """How many living processes hold `key` with a value that `accepts`."""
        return len(self.match(key, accepts))

    def lookup(self, key: Key) -> list[tuple[Ref, V]]:
        """The living processes that hold `key`, in the order they registered, each with its value."""
        return [(ref, value) for ref, value in self._find(key).holders.items() if ref.is_alive()]

    def values(self, key: Key) -> Iterable[V]:
        """The values under `key`, of processes that may have died this instant. The quickest way to dispatch."""
        return self._find(key).holders.values()

    def dispatch(self, key: Key, deliver: Callable[[Ref, V], object]) -> int:
        """Call `deliver(ref, value)` for every living process that holds `key`; returns for how many.

        One that raises does not keep the others from being served. Then what it raised is raised here; what several
        raised, as an `ExceptionGroup`.
        """
        holders = self.lookup(key)
        failures: list[BaseException] = []
        for ref, value in holders:
            try:
                deliver(ref, value)
            except KeyboardInterrupt:
                raise
            except BaseException as failure:  # noqa: BLE001  # raised below
                failures.append(failure)
        if len(failures) > 1:
            raise BaseExceptionGroup(f"{len(failures)} of {len(holders)} deliveries failed", failures)
        if failures:
            raise failures[0]
        return len(holders)

    def publish(self, key: Key, message: Any) -> int:
        """Send `message` to every living process that holds `key`; returns to how many."""
        return self.dispatch(key, lambda ref, _: ref.tell(message))

    def keys(self, ref: Ref | None = None) -> set[Key]:
        """The keys that `ref`, the calling process by default, holds."""
        return {entry.key for entry in self._keys_of.get(ref or _caller(), ())}

    def whereis(self, key: Key) -> Ref | None:
        """The living process that holds a unique key, or the first of a duplicate one, or None."""
        return next((ref for ref in self._find(key).holders if ref.is_alive()), None)

    def via(self, key: Key) -> ViaTable:
        """A target for `call`, `cast` and `send`: the process that holds `key` at that time."""
        return ViaTable(self, key)

    def __iter__(self) -> Iterator[tuple[Key, Ref, V]]:
        """All entries: key, process, value."""
        for entry in list(self._entries.values()):
            for ref, value in list(entry.holders.items()):
                yield entry.key, ref, value

    def refs(self) -> list[Ref]:
        """The processes that hold a key."""
        return list(self._keys_of)

    def forget(self, ref: Ref) -> None:
        """Remove the entries of a process that has died."""
        for entry in list(self._keys_of.get(ref, ())):
            self._drop(entry, ref)

    # The hash and the comparison of a key are its class's own and may raise. So a change begins with what needs them,
    # and goes on with entries, which are known by identity: it happens whole or not at all.

    def _find(self, key: Key) -> _Entry[V]:
        """The entry of `key`, or one without holders that is not in the table."""
        try:
            return self._entries.get(key) or _Entry(key)
        except TypeError as error:
            raise TypeError(f"a key of the table {self.name!r} must be hashable: {error}") from error

    def _put(self, entry: _Entry[V], ref: Ref, value: V) -> None:
        if not entry.holders:
            entry = self._entries.setdefault(entry.key, entry)
        entry.holders[ref] = value
        if ref not in self._keys_of:
            self._keys_of[ref] = {}
            if self.registry is not None:
                cast(self.registry, Watch(ref))
        self._keys_of[ref][entry] = None
        self._notify(Registered(self.name, entry.key, ref, value))

    def _drop(self, entry: _Entry[V], ref: Ref) -> None:
        """Remove `ref` from the holders of an entry, if it is one."""
        if ref not in entry.holders:
            return
        value = entry.holders.pop(ref)
        if not entry.holders:  # if that fails, an entry without holders stays, which means nothing
            attempt(self._entries.pop, entry.key, None, default=None)
        entries = self._keys_of[ref]
        del entries[entry]
        if not entries:
            del self._keys_of[ref]
        self._notify(Unregistered(self.name, entry.key, ref, value))

    def _notify(self, message: Registered | Unregistered) -> None:
        """Send a change that has happened to all listeners. A listener that cannot be reached is logged."""
        for listener in self.listeners:
            self._send(listener, message)

    def _send(self, listener: Target, message: Registered | Unregistered) -> None:
        def failed(failure: BaseException) -> None:
            log.warning("registry.listener_failed", table=self.name, listener=listener, error=failure)

        attempt(send, listener, message, default=None, on_failure=failed)


@dataclass(frozen=True, slots=True)
class ViaTable:
    """A name kept in a table."""

    table: Table[Any]
    key: Key

    def whereis(self) -> Ref | None:
        """The process that holds the name now."""
        return self.table.whereis(self.key)


@shown("tables")
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
        match message:
            case Down(target=Ref() as ref) if self._watched.get(ref) is message.monitor:
                del self._watched[ref]
                for table in self.tables:
                    table.forget(ref)
                return None
        return super().handle_info(message)

    def _watch(self, ref: Ref) -> None:
        if ref not in self._watched:
            self._watched[ref] = self.monitor(ref)


def _caller() -> Ref:
    process = Scheduler.current().running
    if process is None:
        raise RuntimeError("only a process can hold a key: give its `ref`, or call this in one of its callbacks")
    return process.ref
