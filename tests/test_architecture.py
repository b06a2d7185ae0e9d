"""The folder list is the architecture: who may import whom (docs/architecture.md), and what keeps pure code pure."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ROOMS: dict[str, set[str]] = {
    "protocol": set(),
    "actors.kernel": {"actors"},
    "actors": {"actors.kernel"},
    "actors.testing": {"actors", "actors.kernel"},
    "registry": {"actors", "protocol"},
    "supervision": {"registry", "actors"},
    "supervision.server": {"supervision", "registry", "actors", "protocol"},
    "supervision.server.testing": {"supervision.server", "actors.testing", "protocol"},
    "supervision.console.inspection": {"supervision.server", "supervision", "registry", "actors", "protocol"},
    "supervision.console.api": {
        "supervision.console.inspection", "supervision.server", "supervision", "actors", "protocol",
    },
    "supervision.console.web": {
        "supervision.console.api", "supervision.console.inspection", "supervision.server", "protocol",
    },
    "supervision.console.terminal": {"actors"},
    "supervision.console.console": {
        "supervision.console.web", "supervision.console.terminal", "supervision.console.api",
        "supervision.console.inspection", "supervision.server", "supervision", "protocol",
    },
    "supervision.console": {
        "supervision.console.console", "supervision.console.web", "supervision.console.api",
        "supervision.console.inspection",
    },
    "canvas.board": {"supervision.server", "actors", "protocol"},
    "canvas.messages": {"canvas.board", "actors", "protocol"},
    "canvas.store": {"canvas.board", "actors"},
    "canvas.live": {
        "canvas.store", "canvas.messages", "canvas.board", "supervision.server", "registry", "actors", "protocol",
    },
    "canvas.history": {"canvas.store", "canvas.board", "actors"},
    "canvas.users": {"canvas.store", "canvas.board", "supervision.server", "supervision", "protocol"},
    "canvas.config": {"canvas.store", "canvas.board", "supervision.console", "supervision.server", "actors"},
    "canvas.data_dir": {"supervision", "actors"},
    "canvas.listeners": {"canvas.config", "supervision.console", "supervision.server", "actors", "protocol"},
    "canvas.web": {
        "canvas.users", "canvas.history", "canvas.live", "canvas.store", "canvas.messages", "canvas.board",
        "canvas.config", "supervision.server", "actors", "protocol",
    },
    "canvas.admin": {
        "canvas.web", "canvas.users", "canvas.history", "canvas.live", "canvas.store", "canvas.board",
        "supervision.console", "supervision.server", "actors", "protocol",
    },
    "canvas.application": {
        "canvas.admin", "canvas.web", "canvas.users", "canvas.history", "canvas.live", "canvas.store",
        "canvas.listeners", "canvas.data_dir", "canvas.config", "supervision.console", "supervision.server",
        "supervision", "registry", "actors",
    },
    "canvas.cli": {
        "canvas.application", "canvas.users", "canvas.history", "canvas.live", "canvas.store", "canvas.board",
        "canvas.listeners", "canvas.data_dir", "canvas.config", "supervision.console",
        "supervision.console.terminal", "supervision.console.api", "supervision", "actors", "protocol",
    },
    "canvas.__main__": {"canvas.cli"},
    "canvas": set(),
}  # fmt: skip
"""The rooms, from the bottom to the top: folders, and modules that stand alone; each with the others it may import."""

IN_CYCLES = {("actors.kernel", "actors")}
"""Arrows against the order: the kernel describes and logs crashes; the behaviours are processes of the kernel."""

UNUSED = {("registry", "protocol"), ("supervision", "registry"), ("supervision.server", "registry")}
"""Arrows that are right although nothing needs them yet."""

LIBRARIES: dict[str, set[str]] = {
    "protocol": {"numpy"},
    "actors": {"structlog"},
    "actors.kernel": {"pykka"},
    "actors.testing": {"pytest", "structlog"},
    "supervision": {"structlog"},
    "supervision.console.inspection": {"prometheus_client"},
    "supervision.console.api": {"prometheus_client", "orjson"},
    "supervision.console.terminal": {"rich", "textual"},
    "canvas.board": {"numpy"},
    "canvas.messages": {"numpy", "orjson"},
    "canvas.store": {"numpy"},
    "canvas.history": {"numpy", "orjson", "PIL"},
    "canvas.users": {"orjson"},
    "canvas.web": {"orjson"},
    "canvas.admin": {"prometheus_client"},
    "canvas.cli": {"typer", "rich", "uvloop", "PIL"},
}
"""The libraries that a room may import; the other rooms import none."""

PURE = ("protocol", "canvas.board", "canvas.messages")
"""Rooms without a clock, chance, files, threads or the network."""

ENTRIES = {"canvas": 13, "supervision/console": 8}
"""How many modules and folders may stand in a folder."""

MAX_LINES = 450
"""How long a module may be."""

CYCLES = [
    # One data structure: a process, its calls, references and ties to others, and what runs it.
    {
        "actors.kernel.call", "actors.kernel.cell", "actors.kernel.life", "actors.kernel.links",
        "actors.kernel.process", "actors.kernel.ref", "actors.kernel.scheduler", "actors.kernel.signals",
    },
]  # fmt: skip
"""Modules that import one another, also for types alone or in a function. There are no others."""

IMPURE = {
    "asyncio", "concurrent", "ftplib", "http.client", "http.server", "logging", "multiprocessing", "os", "pathlib",
    "queue", "random", "sched", "secrets", "select", "selectors", "shutil", "signal", "smtplib", "socket",
    "socketserver", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uuid",
}  # fmt: skip
"""Parts of the standard library that have a clock, chance, files, threads or the network in them."""

KERNEL_ATTRIBUTES = {"_cell", "_process", "_kernel"}
"""Attributes that lead from a reference to the kernel's side of a process, which `actors.debug` shows to others."""

KERNEL_MODULES = ("actors.kernel",)
"""Modules that only `actors` may import."""


def room_of(module: str) -> str | None:
    """The room that a module of ours is in: the longest that its name begins with."""
    rooms = [room for room in ROOMS if module == room or module.startswith(f"{room}.")]
    return max(rooms, key=len, default=None)


def imports(module: str, source: str, *, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """The modules that `source` imports anywhere in it, with their lines."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield node.lineno, alias.name
            case ast.ImportFrom(module=name, names=names, level=level):
                package = module.split(".")[: None if is_package and level == 1 else 1 - level - (not is_package)]
                base = ".".join([*(package if level else []), *([name] if name else [])])
                for alias in names:
                    yield node.lineno, f"{base}.{alias.name}"


def violations(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """What `source` imports against the rules, as "module:line imports what"."""
    room = room_of(module)
    assert room is not None
    return [
        f"{module}:{line} imports {imported}"
        for line, imported in imports(module, source, is_package=is_package)
        if not is_allowed(room, imported)
    ]


def is_allowed(room: str, imported: str) -> bool:
    """Tell whether a module in `room` may import `imported`, a module or something in one."""
    own = room_of(imported)
    if own is not None:
        return own == room or own in ROOMS[room]
    top = imported.partition(".")[0]
    if top not in sys.stdlib_module_names:
        return top in LIBRARIES.get(room, ())
    return room not in PURE or not any(imported == part or imported.startswith(f"{part}.") for part in IMPURE)


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of ours and its file."""
    for package in sorted({room.partition(".")[0] for room in ROOMS}):
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    found = [
        violation
        for module, file in modules()
        if room_of(module) == room
        for violation in violations(module, file.read_text(), is_package=file.name == "__init__.py")
    ]
    assert found == []


def test_the_protocol_asks_no_clock() -> None:
    found = [
        f"{module}:{node.lineno}"
        for module, file in modules()
        if room_of(module) == "protocol"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
    ]
    assert found == []


def test_every_room_is_there() -> None:
    assert {room_of(module) for module, _ in modules()} == set(ROOMS)
    assert set(LIBRARIES) <= set(ROOMS)


def used(module: str, source: str, *, is_package: bool = False) -> set[tuple[str, str]]:
    """The rooms and libraries that `source` imports, each after the room of `source`."""
    room = room_of(module)
    assert room is not None
    names = [name for _, name in imports(module, source, is_package=is_package)]
    return {(room, room_of(name) or name.partition(".")[0]) for name in names}


def test_no_room_may_import_more_than_it_needs() -> None:
    needed = {
        arrow
        for module, file in modules()
        for arrow in used(module, file.read_text(), is_package=file.name == "__init__.py")
    }
    allowed = {(room, other) for table in (ROOMS, LIBRARIES) for room in table for other in table[room]}
    assert allowed - needed - UNUSED == set()


def against_order(rooms: dict[str, set[str]]) -> set[tuple[str, str]]:
    """The arrows that do not lead to a room further up in the table: without any there is no cycle."""
    order = {room: number for number, room in enumerate(rooms)}
    return {(room, other) for room in rooms for other in rooms[room] if order[other] >= order[room]}


def test_rooms_import_only_rooms_below_them() -> None:
    assert against_order(ROOMS) == IN_CYCLES


def test_a_planted_cycle_of_rooms_is_found() -> None:
    for room, other in [("canvas.live", "canvas.web"), ("canvas.board", "canvas.board"), ("actors", "supervision")]:
        assert against_order({**ROOMS, room: {*ROOMS[room], other}}) == {*IN_CYCLES, (room, other)}


@pytest.mark.parametrize("folder", ENTRIES)
def test_a_folder_has_few_entries(folder: str) -> None:
    left_out = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    assert len({entry.name for entry in (ROOT / folder).iterdir()} - left_out) <= ENTRIES[folder]


def test_no_module_is_too_long() -> None:
    assert {module for module, file in modules() if len(file.read_text().splitlines()) > MAX_LINES} == set()


PACKAGES = [module for module, file in modules() if file.name == "__init__.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_says_what_lives_and_what_runs_in_it(package: str) -> None:
    source = (ROOT / package.replace(".", "/") / "__init__.py").read_text()
    assert count_sentences(ast.get_docstring(ast.parse(source)) or "") >= 2


def count_sentences(text: str) -> int:
    """How many sentences a text has; lines of code are none."""
    return len(re.findall(r"[\w`)][.?!](?=\s|$)", re.sub(r"^    .*$", "", text, flags=re.MULTILINE)))


def test_sentences_are_counted() -> None:
    assert count_sentences("Names, and what a.b.c means. It ends (see `f`).\n\n    x = 1.\n") == 2
    assert count_sentences("The canvas: 1.5 pixels in docs/testing.md") == 0


def kernel_uses(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """Where `source` reaches past `actors.debug` into the kernel, as "module:line what"."""
    imported = (
        (line, name)
        for line, name in imports(module, source, is_package=is_package)
        if any(name == part or name.startswith(f"{part}.") for part in KERNEL_MODULES)
    )
    return [f"{module}:{line} {what}" for line, what in sorted((*imported, *_kernel_attributes(source)))]


def _kernel_attributes(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Attribute(attr=name)
                | ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, ast.Constant(value=name), *_])
            ) if name in KERNEL_ATTRIBUTES:
                yield node.lineno, name


def test_only_actors_reaches_into_the_kernel() -> None:
    tests = ((".".join(file.relative_to(ROOT).with_suffix("").parts), file) for file in (ROOT / "tests").rglob("*.py"))
    found = [
        use
        for module, file in (*modules(), *tests)
        if not module.startswith(("actors", "tests.actors"))
        for use in kernel_uses(module, file.read_text(), is_package=file.name == "__init__.py")
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("cell = ref._cell", "_cell"),
        ("parent._process.child_of(ref)", "_process"),
        ("def f(ref):\n    return [insides._kernel._idle for insides in ref]", "_kernel"),
        ("getattr(ref, '_cell', None)", "_cell"),
        ("ref._cell = None", "_cell"),
        ("from actors.kernel.cell import Cell", "actors.kernel.cell.Cell"),
        ("if TYPE_CHECKING:\n    from actors.kernel import cell", "actors.kernel.cell"),
        ("from actors import kernel", "actors.kernel"),
        ("import actors.kernel.report", "actors.kernel.report"),
    ],
)
def test_the_check_finds_a_planted_look_into_the_kernel(source: str, found: str) -> None:
    assert [use.partition(" ")[2] for use in kernel_uses("supervision.console.inspection.inspector", source)] == [found]


def test_the_check_lets_debug_and_other_names_pass() -> None:
    source = "from actors.debug import view\nself._cells = view(ref)\nprocess = _process\ncanvas.cell = 1"
    assert kernel_uses("supervision.console.inspection.inspector", source) == []


@pytest.mark.parametrize(
    ("module", "source", "imported"),
    [
        ("protocol.frames", "import asyncio", "asyncio"),
        ("protocol.frames", "from os import urandom", "os.urandom"),
        ("protocol.frames", "import http.client", "http.client"),
        ("protocol.frames", "from http import client", "http.client"),
        ("protocol.frames", "import structlog", "structlog"),
        ("protocol.frames", "from actors import Ref", "actors.Ref"),
        ("actors.kernel.process", "import supervision", "supervision"),
        ("actors.kernel.process", "def f():\n    from registry import Registry", "registry.Registry"),
        ("actors.kernel.process", "if TYPE_CHECKING:\n    from canvas.board import grid", "canvas.board.grid"),
        ("actors.kernel.process", "import orjson", "orjson"),
        ("actors.kernel.process", "from actors.testing import run", "actors.testing.run"),
        ("actors.testing.kit", "from supervision import child", "supervision.child"),
        ("supervision.supervisor", "from supervision.server import tree", "supervision.server.tree"),
        ("supervision.supervisor", "from supervision import server", "supervision.server"),
        ("supervision.supervisor", "from . import server", "supervision.server"),
        ("supervision.supervisor", "from .server.tree import Tree", "supervision.server.tree.Tree"),
        ("supervision.supervisor", "import pykka", "pykka"),
        ("supervision.supervisor", "import protocol.frames as frames", "protocol.frames"),
        ("supervision.server.wire", "from actors.kernel.cell import Cell", "actors.kernel.cell.Cell"),
        ("supervision.server.wire", "import canvas.config", "canvas.config"),
        ("supervision.server.wire", "from .. import console", "supervision.console"),
        ("supervision.console.web", "import canvas", "canvas"),
        ("registry.registry", "import supervision.server", "supervision.server"),
        ("registry.registry", "from supervision import Supervisor", "supervision.Supervisor"),
        ("supervision.console.inspection.tree", "from ..api import actions", "supervision.console.api.actions"),
        ("supervision.console.terminal.text", "from actors.kernel import cell", "actors.kernel.cell"),
        ("supervision.console.web.gate", "from supervision import console", "supervision.console"),
        ("canvas.board.rules", "from time import monotonic", "time.monotonic"),
        ("canvas.board.rules", "from canvas.store import Store", "canvas.store.Store"),
        ("canvas.messages.json_codec", "from canvas.live.view import View", "canvas.live.view.View"),
        ("canvas.live.room", "from canvas.web import routes", "canvas.web.routes"),
        ("canvas.live.room", "import numpy", "numpy"),
        ("canvas.config", "from canvas.application import CanvasApplication", "canvas.application.CanvasApplication"),
        ("canvas.new", "from canvas.board import area", "canvas.board.area"),
        ("canvas.board.grid", "import pykka", "pykka"),
        ("canvas.board.grid", "import requests", "requests"),
    ],
)
def test_the_check_finds_a_planted_violation(module: str, source: str, imported: str) -> None:
    found = violations(module, source)
    assert [violation.partition(" imports ")[2] for violation in found] == [imported]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("protocol.masking", "import numpy as np\nimport struct\nfrom http import HTTPStatus"),
        ("protocol.session", "from protocol.frames import Frame\nfrom . import frames\nfrom .frames import Frame"),
        ("actors.kernel.process", "import pykka, asyncio, threading"),
        ("supervision.server.wire", "from supervision import Supervisor\nfrom protocol import Session\nimport socket"),
        ("supervision.console.web", "from supervision.console.api import routing\nfrom supervision.server import Wire"),
        ("registry.groups", "from protocol import CloseCode\nfrom actors import GenServer"),
        ("supervision.server.wire", "from registry import Registry"),
        ("supervision.console.api.live", "import orjson\nfrom ..inspection import model"),
        ("canvas.store.sqlite", "import sqlite3\nfrom ..board.grid import Grid\nfrom . import rows"),
        ("canvas.live.handler", "from . import view\nfrom canvas.messages import codec\nfrom time import monotonic"),
    ],
)
def test_the_check_lets_the_rules_pass(module: str, source: str) -> None:
    assert violations(module, source) == []


def arrows(sources: dict[str, str], packages: set[str]) -> dict[str, set[str]]:
    """The modules of ours that each of ours imports, anywhere in it."""
    found: dict[str, set[str]] = {}
    for module, source in sources.items():
        imported = {name for _, name in imports(module, source, is_package=module in packages)}
        found[module] = {name if name in sources else name.rpartition(".")[0] for name in imported} & set(sources)
    return found


def cycles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules that import one another: the strongly connected components with an arrow inside."""
    reached: dict[str, set[str]] = {}
    for module in arrows:
        waiting, seen = [module], set[str]()
        while waiting:
            fresh = arrows[waiting.pop()] - seen
            seen |= fresh
            waiting += fresh
        reached[module] = seen
    found: list[set[str]] = []
    for module in arrows:
        if module in reached[module] and not any(module in cycle for cycle in found):
            found.append({other for other in reached[module] if module in reached[other]})
    return found


def test_the_only_cycles_are_the_known_ones() -> None:
    files = dict(modules())
    sources = {module: file.read_text() for module, file in files.items()}
    packages = {module for module, file in files.items() if file.name == "__init__.py"}
    found = cycles(arrows(sources, packages))
    assert sorted(map(sorted, found)) == sorted(map(sorted, CYCLES))


@pytest.mark.parametrize(
    "back", ["from a import x", "if TYPE_CHECKING:\n    from a import X", "def f():\n    import a", "from .a import x"]
)
def test_the_check_finds_a_planted_cycle(back: str) -> None:
    sources = {"a": "import b", "b": "from c import f", "c": back, "d": "import a, c", "e": "import asyncio"}
    assert cycles(arrows(sources, set())) == [{"a", "b", "c"}]
