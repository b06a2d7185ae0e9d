"""Generates parts of docs/architecture.md from the code: `python -m tests.docs.architecture`."""

import ast
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from protocol import State
from protocol.session import TRANSITIONS
from supervision import ChildSpec
from tests.docs.pages import ROOT
from tests.support.instance import new_application
from tests.test_architecture import LIBRARIES, ROOMS

PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = (
    "protocol", "actors", "registry", "supervision", "supervision.server", "supervision.console", "canvas",
)  # fmt: skip
"""The layers, from the bottom up."""
BRIEF = ("canvas", "supervision.console")
"""Folders whose rooms are named relative to the folder in its own rows."""


def layers() -> str:
    """Return the diagram of imports between packages."""
    return flowchart("TB", reduced(contracted(PACKAGES)))


def canvas() -> str:
    """Return the diagram of imports within canvas/."""
    rooms = [room for room in ROOMS if room.startswith("canvas.") and room != "canvas.__main__"]
    return flowchart("TB", reduced({room: ROOMS[room] & set(rooms) for room in rooms}))


def contracted(packages: Iterable[str]) -> dict[str, set[str]]:
    """Return the imports between packages, without those of test kits."""
    arrows: dict[str, set[str]] = {package: set() for package in packages}
    for room, others in ROOMS.items():
        if not room.endswith(".testing"):
            home = longest(arrows, room)
            arrows[home] |= {longest(arrows, other) for other in others} - {home}
    return arrows


def longest(packages: Iterable[str], room: str) -> str:
    """Return the package that contains a room."""
    return max((each for each in packages if f"{room}.".startswith(f"{each}.")), key=len)


def reduced(arrows: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Remove arrows that follow from others."""

    def reached(room: str) -> set[str]:
        return arrows[room].union(*map(reached, arrows[room]))

    return {room: others - set().union(*map(reached, others)) for room, others in arrows.items()}


def flowchart(direction: str, arrows: dict[str, set[str]]) -> str:
    """Return a diagram with the first entry of `arrows` at the bottom."""
    lines = [
        f"  {room} --> {other}" for room in reversed(arrows) for other in reversed(arrows) if other in arrows[room]
    ]
    return "\n".join(["```mermaid", f"flowchart {direction}", *lines, "```"])


def rooms() -> str:
    """Return the table of rooms, from the top down."""
    rows = [row(room) for room in reversed(ROOMS) if room not in ("canvas", "canvas.__main__")]
    return "\n".join(["| room | what lives there | may import | libraries |", "|---|---|---|---|", *rows])


def row(room: str) -> str:
    """Return one row of that table."""
    return f"| `{room}` | {purpose(room)} | {names(room, ROOMS[room])} | {', '.join(sorted(LIBRARIES.get(room, ())))} |"


def names(room: str, others: set[str]) -> str:
    """Return what a room may import; siblings in canvas/ and supervision/console/ by their last name."""
    home = room.rpartition(".")[0]
    listed = [other for other in reversed(ROOMS) if other in others]
    short = [each.removeprefix(home) if home in BRIEF and each.startswith(f"{home}.") else each for each in listed]
    return ", ".join(f"`{name}`" for name in short)


def purpose(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    path = ROOT / room.replace(".", "/")
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    text = " ".join((ast.get_docstring(ast.parse(source)) or "").removeprefix("Pure. ").split())
    return re.split(r"(?<=[\w`)])\.(?= |$)", text)[0]


def session() -> str:
    """Return the state diagram of a connection."""
    triggers: dict[tuple[State, State], list[str]] = {}
    for (state, trigger), then in TRANSITIONS.items():
        triggers.setdefault((state, then), []).append(trigger.value)
    arrows = [f"  {state.value} --> {then.value}: {', '.join(each)}" for (state, then), each in triggers.items()]
    first, last = f"  [*] --> {State.HTTP.value}", f"  {State.CLOSED.value} --> [*]"
    return "\n".join(["```mermaid", "stateDiagram-v2", first, *arrows, last, "```"])


def tree() -> str:
    """Return the diagram of the processes of an instance, with modules and strategies."""
    with tempfile.TemporaryDirectory() as folder:
        application = new_application(Path(folder), console_port=0)
        try:
            lines = list(branch(application._spec, "", set()))
        finally:
            application.close()
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def branch(spec: ChildSpec, above: str, servers: set[str]) -> Iterator[str]:
    """Yield the lines of a child and its descendants; for a second server only its own line."""
    node = f"{above}_{spec.id}" if above else str(spec.id)
    below = children(spec)
    is_server = "drainer" in [each.id for each in below]
    is_like_another = is_server and bool(servers)
    yield f'  {node}["{spec.id}<br/>{"a server as above" if is_like_another else about(spec)}"]'
    if above:
        yield f"  {above} --> {node}"
    if is_server:
        servers.add(node)
    for each in [] if is_like_another else below:
        yield from branch(each, node, servers)


def children(spec: ChildSpec) -> list[ChildSpec]:
    """Return the specifications among the arguments of another: its children, or the template of its children."""
    flat = [each for argument in spec.args for each in (argument if isinstance(argument, list) else [argument])]
    return [each for each in flat if isinstance(each, ChildSpec)]


def about(spec: ChildSpec) -> str:
    """Return the module of a process, or the strategy of a supervisor."""
    if not children(spec):
        start: Any = spec.start
        return str(start.__module__)
    strategy = spec.kwargs.get("strategy")
    return "one for each connection" if spec.id == "connections" else strategy.value if strategy else "one_for_one"


PARTS: dict[str, Callable[[], str]] = {
    "layers": layers, "canvas": canvas, "rooms": rooms, "tree": tree, "session": session,
}  # fmt: skip


def pattern(name: str) -> re.Pattern[str]:
    """Return a pattern for a generated part, including the comments around it."""
    return re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(\n<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """Return the page with all its parts regenerated."""
    for name, make in PARTS.items():
        match = pattern(name).search(page)
        assert match is not None, name
        page = f"{page[: match.end(1)]}{make()}{page[match.start(2) :]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
