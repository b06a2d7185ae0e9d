"""Pure. What is known of a value, as text only: it is looked at once, and shown in several ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONGEST = 1_000
"""Characters of one value that are shown."""
MOST_ITEMS = 8
"""Items of one collection, or attributes of one object, that are shown."""
MOCK: Final = "Mock()"
"""Python's stand-in for a value."""


class Description:
    """What is known of a value, as text only: it keeps nothing of the value alive.

    Attributes:
        text: what may be seen of it
        structure: the same without any contents
    """

    __slots__ = ()

    @property
    def text(self) -> str:
        return _cut(self.face(True))

    @property
    def structure(self) -> str:
        return _cut(self.face(False))

    def without_values(self) -> Description:
        """The structure alone, in both texts."""
        return Leaf(self.structure)

    def face(self, shows: bool) -> str:
        """As text; see `text` and `structure`."""
        raise NotImplementedError

    def source(self, imports: set[tuple[str, str]]) -> str | None:
        """As Python, which makes an equal value; None if that cannot be written, or may not.

        Args:
            imports: to which the modules and names are added that it needs
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Leaf(Description):
    """What has nothing inside, or nothing that may be seen.

    Attributes:
        kind: the structure
        value: the value, if it may be seen
        written: the same as Python, if it can be written
        needs: what that has to import: module and name
    """

    kind: str
    value: str | None = None
    written: str | None = None
    needs: tuple[str, str] | None = None

    def face(self, shows: bool) -> str:
        return self.kind if self.value is None or not shows else self.value

    def source(self, imports: set[tuple[str, str]]) -> str | None:
        if self.needs is not None:
            imports.add(self.needs)
        return self.written


@dataclass(frozen=True, slots=True)
class Group(Description):
    """A collection that may be seen.

    Attributes:
        kind: the structure
        begin, end: around the items
        items: those that were kept; of a dictionary, with their keys
        size: of all items
        is_ordered: False of a set
        needs: as of a `Leaf`; a pair of empty texts if nothing is needed, None if Python cannot make it
    """

    kind: str
    begin: str
    end: str
    items: tuple[tuple[Description | None, Description], ...]
    size: int
    is_ordered: bool
    needs: tuple[str, str] | None

    def face(self, shows: bool) -> str:
        if not shows:
            return self.kind
        texts = [f"{key.face(True)}: {item.face(True)}" if key else item.face(True) for key, item in self.items]
        return self._around(texts if self.is_ordered else sorted(texts), MOST_ITEMS)

    def source(self, imports: set[tuple[str, str]]) -> str | None:
        if self.needs is None or len(self.items) < self.size:
            return None
        imports.add(self.needs)
        texts = []
        for key, item in self.items:
            written = source_of(item, imports)
            texts.append(f"{source_of(key, imports)}: {written}" if key else written)
        return self._around(texts if self.is_ordered else sorted(texts), self.size)

    def _around(self, texts: list[str], most: int) -> str:
        shown = texts[:most]
        comma = "," if self.begin == "(" and self.size == 1 else ""
        return f"{self.begin}{', '.join([*shown, '...'] if self.size > len(shown) else shown)}{comma}{self.end}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A field, its value, and where it stands: in a text, and in Python."""

    name: str
    value: Description
    is_shown: bool = True
    is_written: bool = True


@dataclass(frozen=True, slots=True)
class Record(Description):
    """An object with fields.

    Attributes:
        begin, end: around the fields
        entries: the fields that were kept; those without a name by position
        size: of all fields
        needs: as of a `Group`
        written: its class, as Python
    """

    begin: str
    end: str
    entries: tuple[Entry, ...]
    size: int
    written: str | None = None
    needs: tuple[str, str] | None = None

    def face(self, shows: bool) -> str:
        entries = [each for each in self.entries if each.is_shown]
        texts = [f"{each.name}={each.value.face(shows)}" if each.name else each.value.face(shows) for each in entries]
        more = ["..."] if self.size > len(self.entries) or len(texts) > MOST_ITEMS else []
        return f"{self.begin}{', '.join(texts[:MOST_ITEMS] + more)}{self.end}"

    def source(self, imports: set[tuple[str, str]]) -> str | None:
        if self.written is None or self.size > len(self.entries):
            return None
        if self.needs is not None:
            imports.add(self.needs)
        texts = [f"{each.name}={source_of(each.value, imports)}" for each in self.entries if each.is_written]
        return f"{self.written}({', '.join(texts)})"


def source_of(description: Description | None, imports: set[tuple[str, str]]) -> str:
    """As Python, with a stand-in in place of what cannot be written, or may not."""
    written = None if description is None else description.source(imports)
    if written is None:
        imports.add(("unittest.mock", "Mock"))
        return MOCK
    return written


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
