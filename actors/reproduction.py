"""Pure. Writes a pytest test that reproduces a crash, as far as the actor's state may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal

from actors.anatomy import class_name, importable, is_path, qualified_name_of
from actors.description import Description, Record, source_of
from actors.gen_server import Cast
from actors.gen_statem import GenStateMachine
from actors.kernel.call import Call
from actors.kernel.report import CaseWriter
from actors.oneline import line

MOST_ATTRIBUTES = 200
LONGEST = 6_000
"""Approximate maximum length in characters of the written state; stand-ins replace the rest."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The actor that crashed, as text.

    Attributes:
        name: name of its class
        place: qualified name of its class
        base: the class as Python, and the import that this needs; None if it cannot be imported
        is_machine: whether it is a state machine
        sends: the function that sends the current message; None if there was none
        about: the class of the request or message
    """

    name: str
    place: str
    base: tuple[str, tuple[str, str]] | None
    is_machine: bool
    sends: Literal["call", "cast", "tell"] | None
    about: str


def subject_of(kind: type, message: Any) -> Subject:
    """Describe the actor that crashed.

    Args:
        kind: its class
        message: the message that it was handling
    """
    name, needs = importable(kind)
    how = type(message)
    is_wrapped = issubclass(how, Call) or how is Cast
    inner = message.request if is_wrapped else message
    return Subject(
        name=class_name(kind),
        place=line(qualified_name_of(kind)),
        base=None if name is None or needs is None else (name, needs),
        is_machine=issubclass(kind, GenStateMachine),
        sends=None if message is None else "cast" if how is Cast else "call" if is_wrapped else "tell",
        about="its end" if inner is None else class_name(type(inner)),
    )


def case_writer(kind: type, message: Any) -> CaseWriter:
    """Return the case writer for an actor of class `kind` that was handling `message`."""
    return partial(write_case, subject_of(kind, message))


def write_case(subject: Subject, reason: str, message: Description | None, state: Mapping[str, Description]) -> str:
    """Write a test that fails as long as the actor crashes.

    Args:
        subject: the actor
        reason: its exit reason
        message: the message that it was handling
        state: its attributes, preferably those before it took the message
    """
    imports: set[tuple[str, str]] = {("actors", "stop")}
    attributes = {name: value for name, value in state.items() if is_path(name) and "." not in name}
    phase = attributes.pop("state", None) if subject.is_machine else None
    lines, left = [], LONGEST
    for name, value in islice(attributes.items(), MOST_ATTRIBUTES):
        written = source_of(value if left > 0 else None, imports)
        lines.append(f"            {name}={written},")
        left -= len(written)
    sending = _sending(subject, message, imports)
    begins = []
    if subject.is_machine:
        begins = [f"        return Next({source_of(phase, imports)})"]
        imports.add(("actors.gen_statem", "Next"))
    base = _identifier(subject.name)
    if subject.base is not None:
        base = subject.base[0]
        imports.add(subject.base[1])
    about = line(f"{subject.name} crashed: {reason}").replace("\\", "/").replace('"', "'")[:100]
    text = [
        f'"""{about}"""',
        "",
        *_import_lines(imports),
        "",
        *([f"# {subject.place} cannot be imported: put its definition here.", ""] if subject.base is None else []),
        "",
        f"class Subject({base}):",
        '    """Starts in the state before the crash. `Mock()` replaces what cannot be written or may not be shown."""',
        "",
        "    def init(self):",
        *(["        vars(self).update(", *lines, "        )"] if lines else ([] if begins else ["        pass"])),
        *begins,
        "",
        "",
        f"async def test_{_snake(_identifier(subject.name))}_survives_{_about(subject)}(kit):",
        "    subject = await kit.start_supervised(Subject)",
        *([f"    {sending}"] if sending else []),
        "    await stop(subject)  # returns after it has handled the message",
        "",
    ]
    return "\n".join(text)


def _sending(subject: Subject, message: Description | None, imports: set[tuple[str, str]]) -> str | None:
    if subject.sends is None:
        return None
    if subject.sends == "tell":
        return f"subject.tell({source_of(message, imports)})"
    inner = message.entries[0].value if isinstance(message, Record) and message.entries else None
    imports.add(("actors", subject.sends))
    return f"{'await ' if subject.sends == 'call' else ''}{subject.sends}(subject, {source_of(inner, imports)})"


def _import_lines(imports: set[tuple[str, str]]) -> list[str]:
    names: dict[str, set[str]] = {}
    for module, name in imports:
        if module:
            names.setdefault(module, set()).add(name)
    return [f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names)]


def _about(subject: Subject) -> str:
    return _snake(_identifier(subject.about)).strip("_") or "a_message"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)
