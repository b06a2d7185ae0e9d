"""One process per registry: names, groups and topics, looked up without a message (Elixir's Registry).

The entries are kept in a `Table` that outlives the process, as an ETS table passes to its heir: when the registry
crashes, its successor takes the table over and loses nothing. Registering and looking up access the table directly, on
the thread of the event loop; the process removes the entries of dead processes.
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
    """How many processes may hold the same key."""

    UNIQUE = "unique"
    """One: the key is a name."""
    DUPLICATE = "duplicate"
    """Any number: the key is a group or topic."""


@shown("table")
@dataclass(frozen=True, slots=True)
class Registered:
    """Sent to listeners: `ref` now holds `key`."""

    table: str
    key: Key
    ref: Ref
    value: Any


@shown("table")
@dataclass(frozen=True, slots=True)
class Unregistered:
    """Sent to listeners: `ref` no longer holds `key`, because it was unregistered or is dead."""

    table: str
    key: Key
    ref: Ref
    value: Any


class AlreadyRegistered(PortableException):
    """The key is already held by `ref`."""

    def __init__(self, key: Key, ref: Ref) -> None:
        super().__init__(f"the key {name_of(key)} is held by {ref!r}")
        self.key = key
        self.ref = ref


@dataclass(frozen=True, slots=True)
class Watch:
    """Asks the registry to remove the entries of `ref` when it exits."""

    ref: Ref


class _Entry(Generic[V]):
    """A key and its holders. Compared and hashed by identity, which runs no code of the key's class."""

    __slots__ = ("holders", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.holders: dict[Ref, V] = {}


@shown("name")
class Table(Generic[V]):
    """Keys, the processes that hold them, and one value per holder.

    Create it outside the tree and pass it to a `Registry`. `len(table)` is the number of entries.

    Args:
        name: identifies the table in the messages to listeners
        keys: whether several processes may hold the same key
        listeners: receive `Registered` and `Unregistered` for each change

    Attributes:
        metadata: arbitrary data of the application (Elixir's `put_meta`)
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
        """Register `ref`, by default the calling process, under `key` until it is unregistered or exits.

        If `ref` already holds the key, replace its value.

        Raises:
            AlreadyRegistered: if the key is unique and another living process holds it.
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
        """Unregister `ref`, by default the calling process, from `key`; do nothing if it does not hold the key."""
        self.unregister_match(key, lambda _: True, ref)

    def unregister_match(self, key: Key, accepts: Callable[[V], object], ref: Ref | None = None) -> None:
        """Unregister `ref`, by default the calling process, from `key` if it holds it and `accepts(value)` is true."""
        ref = ref or _caller()
        entry = self._find(key)
        if ref in entry.holders and accepts(entry.holders[ref]):
            self._drop(entry, ref)

    def update_value(self, key: Key, change: Callable[[V], V], ref: Ref | None = None) -> V:
        """Replace the value of `ref`, by default the calling process, under `key` by `change(value)`; return that.

        Raises:
            KeyError: if `ref` does not hold the key, or `change` unregistered it.
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
        """Return the living holders of `key` whose value `accepts`, each with its value, in order of registration."""
        return [(ref, value) for ref, value in self.lookup(key) if accepts(value)]

    def count_keys(self) -> int:
        """Return the number of distinct keys."""
        return len(self._entries)

    def count_match(self, key: Key, accepts: Callable[[V], object]) -> int:
        """Return the number of living holders of `key` whose value `accepts`."""
        return len(self.match(key, accepts))

    def lookup(self, key: Key) -> list[tuple[Ref, V]]:
        """Return the living holders of `key`, each with its value, in order of registration."""
        return [(ref, value) for ref, value in self._find(key).holders.items() if ref.is_alive()]

    def values(self, key: Key) -> Iterable[V]:
        """Return a view of the values under `key`, whose holders may have just died. The fastest way to dispatch."""
        return self._find(key).holders.values()

    def dispatch(self, key: Key, deliver: Callable[[Ref, V], object]) -> int:
        """Call `deliver(ref, value)` for each living holder of `key`; return their number.

        An exception does not stop the remaining deliveries; it is raised after them, several as an `ExceptionGroup`.
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
        """Send `message` to each living holder of `key`; return their number."""
        return self.dispatch(key, lambda ref, _: ref.tell(message))

    def keys(self, ref: Ref | None = None) -> set[Key]:
        """Return the keys that `ref`, by default the calling process, holds."""
        return {entry.key for entry in self._keys_of.get(ref or _caller(), ())}

    def whereis(self, key: Key) -> Ref | None:
        """Return the first living holder of `key`, the only one if keys are unique, or None."""
        return next((ref for ref in self._find(key).holders if ref.is_alive()), None)

    def via(self, key: Key) -> ViaTable:
        """Return a target for `call`, `cast` and `send` that resolves to the holder of `key` at each use."""
        return ViaTable(self, key)

    def __iter__(self) -> Iterator[tuple[Key, Ref, V]]:
        """Iterate over a copy of all entries: key, process, value."""
        for entry in list(self._entries.values()):
            for ref, value in list(entry.holders.items()):
                yield entry.key, ref, value

    def refs(self) -> list[Ref]:
        """Return the processes that hold a key."""
        return list(self._keys_of)

    def forget(self, ref: Ref) -> None:
        """Remove all entries of a process."""
        for entry in list(self._keys_of.get(ref, ())):
            self._drop(entry, ref)

    # The hash and the comparison of a key may raise. A change first does what needs them, and then uses only entries,
    # which are compared by identity: so it happens completely or not at all.

    def _find(self, key: Key) -> _Entry[V]:
        """Return the entry of `key`, or a new one without holders, which is not in the table."""
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
        """Remove `ref` from the holders of an entry, if it is among them."""
        if ref not in entry.holders:
            return
        value = entry.holders.pop(ref)
        if not entry.holders:  # if this fails, an entry without holders stays in the table, which is harmless
            attempt(self._entries.pop, entry.key, None, default=None)
        entries = self._keys_of[ref]
        del entries[entry]
        if not entries:
            del self._keys_of[ref]
        self._notify(Unregistered(self.name, entry.key, ref, value))

    def _notify(self, message: Registered | Unregistered) -> None:
        """Send a change to all listeners. A failure to send is logged."""
        for listener in self.listeners:
            self._send(listener, message)

    def _send(self, listener: Target, message: Registered | Unregistered) -> None:
        def failed(failure: BaseException) -> None:
            log.warning("registry.listener_failed", table=self.name, listener=listener, error=failure)

        attempt(send, listener, message, default=None, on_failure=failed)


@dataclass(frozen=True, slots=True)
class ViaTable:
    """A name that is kept in a table."""

    table: Table[Any]
    key: Key

    def whereis(self) -> Ref | None:
        """Return the process that currently holds the name."""
        return self.table.whereis(self.key)


@shown("tables")
class Registry(GenServer):
    """Removes dead processes from tables. After a crash its successor takes the same tables over."""

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
        """Remove the entries of a process that exited."""
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
        raise RuntimeError("only a process can hold a key: pass `ref`, or call this in a callback")
    return process.ref
