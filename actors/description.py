"""Pure. Descriptions: what may be shown of a value, as text. A value is examined once and formatted several ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONGEST = 1_000
"""Maximum length in characters of one value as shown."""
MOST_ITEMS = 8
"""Maximum number of items of one collection, or attributes of one object, that are shown."""
MOCK: Final = "Mock()"
"""The stand-in for a value in generated Python."""


class Description:
    """What may be shown of a value, as text: it keeps nothing of the value alive.

    Attributes:
        text: the value as far as it may be shown
        structure: the same without any contents
    """

    __slots__ = ()

    @property
    def text(self) -> str:
        return _cut(self.as_text(True))

    @property
    def structure(self) -> str:
        return _cut(self.as_text(False))

    def without_values(self) -> Description:
        """Return a description with only the structure, for both texts."""
        return Leaf(self.structure)

    def as_text(self, shows: bool) -> str:
        """Return the text, with contents if `shows`; see `text` and `structure`."""
        raise NotImplementedError

    def source(self, imports: set[tuple[str, str]]) -> str | None:
        """Return Python that creates an equal value; None if there is none, or it may not be shown.

        Args:
            imports: set to which to add the modules and names that it needs
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Leaf(Description):
    """A value without parts, or without parts that may be shown.

    Attributes:
        kind: the structure
        value: the value as text, if it may be shown
        written: the value as Python, if there is such
        needs: the import that `written` needs: module and name
    """

    kind: str
    value: str | None = None
    written: str | None = None
    needs: tuple[str, str] | None = None

    def as_text(self, shows: bool) -> str:
        return self.kind if self.value is None or not shows else self.value

    def source(self, imports: set[tuple[str, str]]) -> str | None:
        if self.needs is not None:
            imports.add(self.needs)
        return self.written


@dataclass(frozen=True, slots=True)
class Group(Description):
    """A collection that may be shown.

    Attributes:
        kind: the structure
        begin, end: text before and after the items
        items: the items that were kept, with their keys if it is a dictionary
        size: number of all items
        is_ordered: False for a set
        needs: as for a `Leaf`; a pair of empty strings if it needs no import, None if it cannot be written as Python
    """

    kind: str
    begin: str
    end: str
    items: tuple[tuple[Description | None, Description], ...]
    size: int
    is_ordered: bool
    needs: tuple[str, str] | None

    def as_text(self, shows: bool) -> str:
        if not shows:
            return self.kind
        texts = [
            f"{key.as_text(True)}: {item.as_text(True)}" if key else item.as_text(True) for key, item in self.items
        ]
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
    """A field and its value, and whether it appears in texts and in Python."""

    name: str
    value: Description
    is_shown: bool = True
    is_written: bool = True


@dataclass(frozen=True, slots=True)
class Record(Description):
    """An object with fields.

    Attributes:
        begin, end: text before and after the fields
        entries: the fields that were kept; positional ones have no name
        size: number of all fields
        needs: as for a `Group`
        written: the class as Python
    """

    begin: str
    end: str
    entries: tuple[Entry, ...]
    size: int
    written: str | None = None
    needs: tuple[str, str] | None = None

    def as_text(self, shows: bool) -> str:
        entries = [each for each in self.entries if each.is_shown]
        texts = [
            f"{each.name}={each.value.as_text(shows)}" if each.name else each.value.as_text(shows) for each in entries
        ]
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
    """Return a description as Python, or a stand-in if it cannot be written or may not be shown."""
    written = None if description is None else description.source(imports)
    if written is None:
        imports.add(("unittest.mock", "Mock"))
        return MOCK
    return written


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
