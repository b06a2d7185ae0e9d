"""Who is there: names, groups and topics."""

from registry.groups import Groups
from registry.registry import AlreadyRegistered, Keys, Registered, Registry, Table, Unregistered, ViaTable

__all__ = ["AlreadyRegistered", "Groups", "Keys", "Registered", "Registry", "Table", "Unregistered", "ViaTable"]
