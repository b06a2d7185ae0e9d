"""Who is there: names, groups and topics.

One process runs here, the registry: it watches the processes in its tables. The tables outlive it, and everybody reads
them directly.
"""

from registry.groups import Groups
from registry.registry import AlreadyRegistered, Keys, Registered, Registry, Table, Unregistered

__all__ = ["AlreadyRegistered", "Groups", "Keys", "Registered", "Registry", "Table", "Unregistered"]
