"""Committed changes: one interface, `Store`, and its implementations, SQLite and memory.

One process runs here, the store server. Only it appends, one transaction per batch; every other process reads through
its own `Reader`.
"""

from canvas.store.chunk import Chunk
from canvas.store.interface import Durability, Reader, Store, StoreError, UnusableStore
from canvas.store.memory import MemoryStore
from canvas.store.schema import About
from canvas.store.server import (
    Append,
    BlockingStoreServer,
    Committed,
    GetHealth,
    Health,
    Load,
    Loaded,
    LookForSnapshot,
    Rejected,
    StoreServer,
)
from canvas.store.sqlite import DATABASE, SqliteStore
from canvas.store.sqlite_reader import SqliteReader
from canvas.store.turn import SLOW_WRITE, CommitPace

__all__ = [
    "DATABASE",
    "SLOW_WRITE",
    "About",
    "Append",
    "BlockingStoreServer",
    "Chunk",
    "CommitPace",
    "Committed",
    "Durability",
    "GetHealth",
    "Health",
    "Load",
    "Loaded",
    "LookForSnapshot",
    "MemoryStore",
    "Reader",
    "Rejected",
    "SqliteReader",
    "SqliteStore",
    "Store",
    "StoreError",
    "StoreServer",
    "UnusableStore",
]
