"""The connections of all servers, as rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors import Ref, Scheduler
from actors.debug import actor_of, view
from protocol import parse_index
from supervision.console.inspection.model.connections import ConnectionPage, ConnectionRow
from supervision.console.inspection.model.forms import Act
from supervision.console.inspection.paging import Inspection, page_of
from supervision.console.inspection.sources import Sources
from supervision.server import Connection, Sockets, Wire


class Wires:
    """Reads the connections.

    Args:
        sources: the parts of the application to inspect
        acts_on: returns the actions that the application offers on a wire of its servers
    """

    def __init__(self, sources: Sources, acts_on: Callable[[Wire], list[Act]]) -> None:
        self._sources = sources
        self._acts_on = acts_on

    async def page(
        self,
        inspection: Inspection,
        *,
        sort: str = "age",
        descending: bool = False,
        search: str = "",
        server: str = "",
        offset: int = 0,
        limit: int = 100,
    ) -> ConnectionPage:
        """Return one page of the connections.

        Args:
            inspection: the work runs in its slices
            sort: an attribute of `ConnectionRow`
            descending: whether the largest comes first
            search: only connections whose label, user, name or address contains this
            server: only connections of this server
            offset, limit: the rows of the page
        """
        wires = [
            (name, wire)
            for name, sockets in self._sources.all_servers().items()
            if server in ("", name)
            for wire in sockets.wires.values()
        ]
        needle = search.lower()
        found = [
            (self._wire_key(sort, pair), pair)
            async for chunk in inspection.chunks(wires)
            for pair in chunk
            if not needle or needle in self._search_text(pair[1])
        ]
        shown = page_of(found, descending, offset, limit)
        rows = [self.row(name, wire) async for chunk in inspection.chunks(shown) for name, wire in chunk]
        return ConnectionPage(len(found), offset, rows)

    def row(self, server: str, wire: Wire) -> ConnectionRow:
        """Return the row of one connection."""
        owner, client = wire.owner, self._sources.client_of(wire)
        return ConnectionRow(
            id=f"{server}-{wire.id}",
            server=server,
            actor=None if owner is None else str(owner.id),
            label="" if owner is None else owner.label,
            user=None if client is None else client.user_id,
            name="" if client is None else client.name,
            address=wire.address,
            peer=wire.peer,
            state=wire.session.state.value,
            age=Scheduler.current().loop.time() - wire.connected_at,
            bytes_in=wire.bytes_in,
            bytes_out=wire.bytes_out,
            round_trip=wire.round_trip,
            backlog=wire.backlog,
            mailbox=_waiting(wire),
            peak=_peak(wire),
            congested=wire.is_congested,
            compressed=wire.session.is_compressed,
            acts=self._acts_on(wire) if server in self._sources.servers else [],
        )

    def find(self, id: str) -> Wire | None:
        """Return the wire of a connection by the `id` of its row; None if it is gone."""
        name, _, text = id.rpartition("-")
        sockets: Sockets | None = self._sources.all_servers().get(name)
        number = parse_index(text)
        return None if sockets is None or number is None else sockets.wires.get(number)

    def _search_text(self, wire: Wire) -> str:
        label = "" if wire.owner is None else wire.owner.label
        client = self._sources.client_of(wire)
        who = "" if client is None else f"{client.user_id} {client.name}"
        return f"{label} {wire.peer} {wire.address} {who}".lower()

    def _wire_key(self, sort: str, pair: tuple[str, Wire]) -> Any:
        server, wire = pair
        if sort in _WIRE_KEYS:
            return _WIRE_KEYS[sort](wire)
        key = getattr(self.row(server, wire), sort)
        return (key is not None, key) if sort in _OPTIONAL else key

    def of(self, ref: Ref) -> str | None:
        """Return the `id` of the connection that an actor owns; None if it owns none."""
        connection = actor_of(ref, Connection)
        if connection is None:
            return None
        wire = connection.wire
        servers = self._sources.all_servers().items()
        return next((f"{name}-{wire.id}" for name, sockets in servers if sockets.wires.get(wire.id) is wire), None)


def _waiting(wire: Wire) -> int:
    """Return the mailbox length of a connection's actor."""
    process = None if wire.owner is None else view(wire.owner)
    return 0 if process is None else len(process.mailbox)


def _peak(wire: Wire) -> int:
    process = None if wire.owner is None else view(wire.owner)
    return 0 if process is None else process.mailbox.peak


_OPTIONAL = frozenset({"round_trip", "actor", "user"})
_WIRE_KEYS: dict[str, Callable[[Wire], Any]] = {
    "age": lambda wire: -wire.connected_at,
    "bytes_in": lambda wire: wire.bytes_in,
    "bytes_out": lambda wire: wire.bytes_out,
    "backlog": lambda wire: wire.backlog,
    "mailbox": _waiting,
    "peak": _peak,
}
"""Sort keys that need no row."""
