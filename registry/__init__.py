"""Who is there: names, groups and topics."""

from registry.registry import AlreadyRegistered, Keys, Registered, Registry, Table, Unregistered, ViaTable

__all__ = ["AlreadyRegistered", "Keys", "Registered", "Registry", "Table", "Unregistered", "ViaTable"]
