"""The supervision tree of a server, as one list. Each child needs those before it."""

from __future__ import annotations

from supervision import INFINITY, ChildSpec, DynamicSupervisor, Limit, Restart, Strategy, child, supervisor
from supervision.server.connection import Connection, Routes, close_given_up
from supervision.server.drainer import Drainer
from supervision.server.listener import Listener
from supervision.server.sockets import Sockets


def server(
    name: str,
    sockets: Sockets,
    routes: Routes,
    *,
    crash_budget: Limit = Limit(5, 10.0),  # noqa: B008  # immutable
    drain_timeout: float = 10.0,
    intensity: int = 100,
    period: float = 10.0,
) -> ChildSpec:
    """Specify a supervised server.

    Args:
        name: unique among the servers of an application; its processes are registered under it
        sockets: the listening sockets and wires, which outlive the actors; the `Application` closes them at its end
        routes: answers the requests
        crash_budget: how often one connection may crash before it is closed with 1011
        drain_timeout: seconds that clients get to close their connections when the application stops
        intensity, period: more restarts of the listener and the drainer within `period` seconds end the server
    """
    connections = f"{name}.connections"
    connection = child(
        Connection, routes, restart=Restart.TRANSIENT, budget=crash_budget, given_up=close_given_up, label="connection"
    )
    return supervisor(
        name,
        [
            child(DynamicSupervisor, connection, id="connections", name=connections, label="connections"),
            child(Listener, sockets, connections, id="listener", label="listener"),
            child(Drainer, sockets, drain_timeout, id="drainer", label="drainer", shutdown=INFINITY),
        ],
        strategy=Strategy.REST_FOR_ONE,
        intensity=intensity,
        period=period,
        resources=(sockets,),
    )
