"""Pure. The header fields of an HTTP message: ordered, repeatable, with case-insensitive names."""

from collections.abc import Iterable, Iterator


class Headers:
    """An immutable multimap of field lines in their order of arrival (RFC 9110 §5)."""

    __slots__ = ("_index", "_items")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = tuple(items)
        self._index: dict[str, list[str]] = {}
        for name, value in self._items:
            self._index.setdefault(name.lower(), []).append(value)

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the value of the first line with this name, or `default`."""
        values = self._index.get(name.lower())
        return values[0] if values else default

    def get_all(self, name: str) -> list[str]:
        """Return the values of all lines with this name, in order."""
        return list(self._index.get(name.lower(), ()))

    def tokens(self, name: str) -> list[str]:
        """Return the non-empty members of a comma-separated list, from all lines with this name (RFC 9110 §5.6.1)."""
        members = (member.strip(" \t") for value in self.get_all(name) for member in value.split(","))
        return [member for member in members if member]

    def items(self) -> tuple[tuple[str, str], ...]:
        """Return every line as (name, value), with names spelled as received."""
        return self._items

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._index

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._index == other._index if isinstance(other, Headers) else NotImplemented

    def __repr__(self) -> str:
        return f"Headers({list(self._items)!r})"
