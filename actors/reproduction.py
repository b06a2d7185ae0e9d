"""Pure. A crash as a test for pytest that makes an actor crash the same way, as far as its state can be written."""

from __future__ import annotations

import dataclasses
import enum
import keyword
import math
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from types import ModuleType, NoneType
from typing import Any

from actors.call import Call
from actors.describe import (
    MOST_BITS,
    PATHS,
    attribute_of,
    class_name,
    fields_of,
    hide_in_text,
    is_secret,
    line,
    module_of,
    qualified_name_of,
)
from actors.gen_server import Cast
from actors.gen_statem import GenStateMachine

LONGEST = 6_000
"""Characters of state and message that are written; what comes after that is a stand-in."""

MOST_ATTRIBUTES = 200
_MOCK = "Mock()"
_SEQUENCES: dict[str, tuple[str, str]] = {
    "list": ("[", "]"), "tuple": ("(", ")"), "set": ("{", "}"), "frozenset": ("frozenset({", "})"),
    "deque": ("deque([", "])"),
}  # fmt: skip


class _Writer:
    """Values as Python; collects the imports. Runs no code of the values' classes."""

    def __init__(self) -> None:
        self.imports: dict[str, set[str]] = {}
        self._left = LONGEST

    def write(self, value: Any, depth: int = 6) -> str:
        """The expression that makes an equal value; `Mock()` in place of what cannot be written, or may not."""
        text = self._write(value, depth) if depth and self._left > 0 else None
        if text is None:
            text = self.stand_in()
        self._left -= len(text)
        return text

    def stand_in(self) -> str:
        """What stands for a value."""
        self.need("unittest.mock", "Mock")
        return _MOCK

    def need(self, module: str, name: str) -> None:
        """Import `name` from `module`."""
        self.imports.setdefault(module, set()).add(name)

    def name(self, kind: type) -> str | None:
        """The name of a class that can be imported."""
        module, name = module_of(kind), qualified_name_of(kind)
        if module is None or module == "__main__" or not _is_path(module) or not _is_path(name):
            return None
        if module != "builtins":
            self.need(module, name.partition(".")[0])
        return str(name)

    def _write(self, value: Any, depth: int) -> str | None:
        kind = type(value)
        if issubclass(kind, enum.Enum):
            name, member = self.name(kind), attribute_of(value, "_name_")
            return f"{name}.{member}" if name is not None and type(member) is str and member.isidentifier() else None
        if kind is NoneType or kind is bool:
            return repr(value)
        if kind is int:
            return repr(value) if value.bit_length() <= MOST_BITS else None
        if kind is float or kind is complex:
            is_finite = math.isfinite(value) if kind is float else math.isfinite(value.real + value.imag)
            return repr(value) if is_finite else f"{kind.__name__}({str(value)!r})"
        if kind is str or kind is bytes:
            return self._text(value)
        if kind is dict:
            return self._dict(value, depth)
        if kind is list or kind is tuple or kind is set or kind is frozenset or kind is deque:
            return self._sequence(value, depth)
        if any(kind is each for each in PATHS):
            path = self._text(str(value))
            self.need("pathlib", kind.__name__)
            return None if path is None else f"{kind.__name__}({path})"
        if issubclass(kind, type):
            return self.name(value)
        fields = fields_of(kind)
        return self._constant(value) if fields is None else self._dataclass(value, fields, depth)

    def _text(self, value: str | bytes) -> str | None:
        if len(value) > self._left:
            return None
        text = repr(value)
        return text if hide_in_text(text) == text else None

    def _sequence(self, value: Any, depth: int) -> str | None:
        kind = type(value)
        if 3 * len(value) > self._left:  # an item and a comma
            return None
        if kind is deque:
            self.need("collections", "deque")
        if not value and kind is not list and kind is not tuple:
            return f"{kind.__name__}()"
        begin, end = _SEQUENCES[kind.__name__]
        items = ", ".join(self._values(value, depth, is_ordered=kind is not set and kind is not frozenset))
        return f"{begin}{items}{',' if kind is tuple and len(value) == 1 else ''}{end}"

    def _values(self, values: Iterable[Any], depth: int, *, is_ordered: bool = True) -> Iterator[str]:
        """The values, but for one behind a secret's name: `("authorization", ...)`."""
        hides = False
        for value in values:
            yield self.stand_in() if hides and is_ordered else self.write(value, depth - 1)
            hides = is_secret(value)

    def _dict(self, value: dict[Any, Any], depth: int) -> str | None:
        if 6 * len(value) > self._left:
            return None
        keys = [self.write(key, depth - 1) for key in value]
        return "{" + ", ".join(map("{}: {}".format, keys, self.named(value.items(), depth))) + "}"

    def named(self, items: Iterable[tuple[Any, Any]], depth: int = 7) -> Iterator[str]:
        """The values of named ones; hidden are those with a secret's name, or behind one."""
        hides = False
        for name, value in items:
            yield self.stand_in() if hides or is_secret(name) else self.write(value, depth - 1)
            hides = is_secret(value)

    def _dataclass(self, value: Any, fields: list[dataclasses.Field[Any]], depth: int) -> str | None:
        name = self.name(type(value))
        if name is None:
            return None
        given = {each.name: attribute_of(value, each.name) for each in fields if each.init and _is_path(each.name)}
        return f"{name}({', '.join(map('{}={}'.format, given, self.named(given.items(), depth)))})"

    def _constant(self, value: Any) -> str | None:
        """A value that a module has under a name, like the messages that are told apart by identity."""
        module = sys.modules.get(module_of(type(value)) or "")
        if type(module) is not ModuleType:
            return None
        for name, known in list(vars(module).items()):
            if known is value and _is_path(name):
                self.need(module.__name__, name)
                return name
        return None


def write_case(kind: type, reason: str, message: Any, state: dict[str, Any]) -> str:
    """Write a test that fails as long as the actor crashes.

    Args:
        kind: the class of the actor
        reason: what it crashed of
        message: what it was handling
        state: its attributes, best those before it took the message
    """
    writer = _Writer()
    attributes = {name: value for name, value in state.items() if type(name) is str and _is_path(name)}
    is_machine = issubclass(kind, GenStateMachine)
    phase = writer.write(attributes.pop("state", None)) if is_machine else ""
    shown = dict(islice(attributes.items(), MOST_ATTRIBUTES))
    lines = [f"            {name}={value}," for name, value in zip(shown, writer.named(shown.items()), strict=True)]
    sending = _sending(writer, message)
    begins = [f"        return Next({phase})"] if is_machine else []
    if is_machine:
        writer.need("actors.gen_statem", "Next")
    writer.need("actors", "stop")
    is_local = writer.name(kind) is None
    base = writer.name(kind) or _identifier(class_name(kind))
    about = line(f"{class_name(kind)} crashed: {reason}").replace("\\", "/").replace('"', "'")[:100]
    text = [
        f'"""{about}"""',
        "",
        *_import_lines(writer),
        "",
        *([f"# {line(qualified_name_of(kind))} is not in a module: put its definition here.", ""] if is_local else []),
        "",
        f"class Subject({base}):",
        '    """Begins where the crash found it. `Mock()` stands for what cannot be written down."""',
        "",
        "    def init(self):",
        *(["        vars(self).update(", *lines, "        )"] if lines else ([] if begins else ["        pass"])),
        *begins,
        "",
        "",
        f"async def test_{_snake(_identifier(class_name(kind)))}_survives_{_about(message)}(kit):",
        "    subject = await kit.start_supervised(Subject)",
        *([f"    {sending}"] if sending else []),
        "    await stop(subject)  # after it has handled what came before",
        "",
    ]
    return "\n".join(text)


def _sending(writer: _Writer, message: Any) -> str | None:
    match message:
        case None:
            return None
        case Call(request):
            writer.need("actors", "call")
            return f"await call(subject, {writer.write(request)})"
        case Cast(request):
            writer.need("actors", "cast")
            return f"cast(subject, {writer.write(request)})"
    return f"subject.tell({writer.write(message)})"


def _import_lines(writer: _Writer) -> list[str]:
    return [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(writer.imports.items())]


def _about(message: Any) -> str:
    inner = message.request if isinstance(message, Call | Cast) else message
    return "its_end" if inner is None else _snake(_identifier(class_name(type(inner)))).strip("_") or "a_message"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _is_path(name: str) -> bool:
    """Tell whether a name, with or without dots, is one that Python's grammar knows."""
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))
