"""Pure. A crash as a test for pytest that makes an actor crash the same way, as far as its state can be written."""

from __future__ import annotations

import dataclasses
import enum
import re
import sys
from collections import deque
from pathlib import PurePath
from typing import Any

from actors.call import Call
from actors.gen_server import Cast
from actors.gen_statem import GenStateMachine

LONGEST = 20_000
"""Characters of state and message that are written; what comes after that is a stand-in."""

_MOCK = "Mock()"
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_SEQUENCES: dict[type, tuple[str, str]] = {
    list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), frozenset: ("frozenset({", "})"), deque: ("deque([", "])"),
}  # fmt: skip


class _Writer:
    """Values as Python; collects the imports."""

    def __init__(self) -> None:
        self.imports: dict[str, set[str]] = {}
        self._left = LONGEST

    def write(self, value: Any, depth: int = 6) -> str:
        """The expression that makes an equal value; `Mock()` in place of what cannot be written."""
        text = self._write(value, depth) if depth and self._left > 0 else None
        if text is None:
            self.need("unittest.mock", "Mock")
            text = _MOCK
        self._left -= len(text)
        return text

    def need(self, module: str, name: str) -> None:
        """Import `name` from `module`."""
        self.imports.setdefault(module, set()).add(name)

    def name(self, thing: Any) -> str | None:
        """The name of a class or function that can be imported."""
        module, name = thing.__module__, thing.__qualname__
        if "<" in name or module == "__main__":
            return None
        if module != "builtins":
            self.need(module, name.partition(".")[0])
        return str(name)

    def _write(self, value: Any, depth: int) -> str | None:
        kind = type(value)
        if kind in _PLAIN:
            return self._plain(value)
        if kind in _SEQUENCES:
            return self._sequence(value, depth)
        if kind is dict:
            return self._dict(value, depth)
        if isinstance(value, enum.Enum):
            name = self.name(kind)
            return None if name is None else f"{name}.{value.name}"
        if isinstance(value, PurePath):
            self.need("pathlib", kind.__name__)
            return f"{kind.__name__}({str(value)!r})"
        if isinstance(value, type):
            return self.name(value)
        if dataclasses.is_dataclass(value):
            return self._dataclass(value, depth)
        return self._constant(value)

    def _plain(self, value: Any) -> str | None:
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            return f"float({str(value)!r})"
        is_short = not isinstance(value, str | bytes) or len(value) <= self._left
        return repr(value) if is_short else None

    def _sequence(self, value: Any, depth: int) -> str | None:
        if len(value) > self._left:
            return None
        kind = type(value)
        if not value and kind is not list and kind is not tuple:
            if kind is deque:
                self.need("collections", "deque")
            return f"{kind.__name__}()"
        begin, end = _SEQUENCES[kind]
        if kind is deque:
            self.need("collections", "deque")
        items = ", ".join(self.write(item, depth - 1) for item in value)
        return f"{begin}{items}{',' if kind is tuple and len(value) == 1 else ''}{end}"

    def _dict(self, value: dict[Any, Any], depth: int) -> str | None:
        if len(value) > self._left:
            return None
        items = (f"{self.write(key, depth - 1)}: {self.write(item, depth - 1)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"

    def _dataclass(self, value: Any, depth: int) -> str | None:
        name = self.name(type(value))
        if name is None:
            return None
        fields = [field for field in dataclasses.fields(value) if field.init]
        return f"{name}({', '.join(f'{f.name}={self.write(getattr(value, f.name), depth - 1)}' for f in fields)})"

    def _constant(self, value: Any) -> str | None:
        """A value that a module has under a name, like the messages that are told apart by identity."""
        module = sys.modules.get(type(value).__module__)
        for name, known in vars(module).items() if module is not None else ():
            if known is value and name.isidentifier() and module is not None:
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
    attributes = dict(state)
    is_machine = issubclass(kind, GenStateMachine)
    phase = writer.write(attributes.pop("state", None)) if is_machine else ""
    lines = [f"            {name}={writer.write(value)}," for name, value in attributes.items() if name.isidentifier()]
    sending = _sending(writer, message)
    begins = [f"        return Next({phase})"] if is_machine else []
    if is_machine:
        writer.need("actors.gen_statem", "Next")
    writer.need("actors", "stop")
    base = writer.name(kind) or kind.__name__
    is_local = "<" in kind.__qualname__ or kind.__module__ == "__main__"
    about = " ".join(f"{kind.__name__} crashed: {reason}".split()).replace("\\", "/").replace('"', "'")[:100]
    text = [
        f'"""{about}"""',
        "",
        *_import_lines(writer),
        "",
        *([f"# {kind.__qualname__} is not in a module: put its definition here.", ""] if is_local else []),
        "",
        f"class Subject({base}):",
        '    """Begins where the crash found it. `Mock()` stands for what cannot be written down."""',
        "",
        "    def init(self):",
        *(["        vars(self).update(", *lines, "        )"] if lines else ([] if begins else ["        pass"])),
        *begins,
        "",
        "",
        f"async def test_{_snake(kind.__name__)}_survives_{_about(message)}(kit):",
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
    return "its_end" if inner is None else _snake(type(inner).__name__).strip("_") or "a_message"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
