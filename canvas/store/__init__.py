"""Where committed changes live: one interface, several implementations, one process that uses them."""

from canvas.store.interface import Store, StoreError
from canvas.store.memory import MemoryStore
from canvas.store.server import Append, Committed, Load, Loaded, Rejected, StoreServer

__all__ = ["Append", "Committed", "Load", "Loaded", "MemoryStore", "Rejected", "Store", "StoreError", "StoreServer"]
