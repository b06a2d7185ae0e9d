"""Pure. Names and topics: who holds a key of the registry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Entry:
    """Somebody who holds a name or is in a topic.

    Attributes:
        table: where; empty for the names of the kernel
        value: what goes with it, as text; None for nothing
    """

    table: str
    key: str
    ref: str
    label: str
    value: str | None


@dataclass(slots=True)
class EntryPage:
    """Some of the names and topics."""

    total: int
    offset: int
    entries: list[Entry]


@dataclass
class Topic:
    """A key, and how many hold it."""

    table: str
    key: str
    members: int


@dataclass(slots=True)
class TopicPage:
    """Some of the topics: the keys of tables in which any number of actors may hold one."""

    total: int
    offset: int
    topics: list[Topic]
