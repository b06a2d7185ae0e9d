"""Pure. Names and topics: the keys of the registry, and the actors that hold them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Entry:
    """An actor that holds a name or is in a topic.

    Attributes:
        table: the table; empty for names of the kernel
        value: the value of the entry, as text; None for no value
    """

    table: str
    key: str
    ref: str
    label: str
    value: str | None


@dataclass(slots=True)
class EntryPage:
    """One page of the names and topics."""

    total: int
    offset: int
    entries: list[Entry]


@dataclass
class Topic:
    """A topic, and the number of its members."""

    table: str
    key: str
    members: int


@dataclass(slots=True)
class TopicPage:
    """One page of the topics: the keys of tables in which several actors may hold the same key."""

    total: int
    offset: int
    topics: list[Topic]
