"""The registry: names, groups and topics.

One process, the registry, monitors the processes in its tables. The tables outlive it, and any code reads them
directly.
"""

from registry.groups import Groups
from registry.registry import AlreadyRegistered, Keys, Registered, Registry, Table, Unregistered

__all__ = ["AlreadyRegistered", "Groups", "Keys", "Registered", "Registry", "Table", "Unregistered"]
