"""The folder list is the architecture: who may import whom (docs: the house), and what keeps the pure code pure."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ROOMS = {
    "protocol": {"protocol"},
    "actors": {"actors"},
    "actors.testing": {"actors.testing", "actors"},
    "registry": {"registry", "actors", "protocol"},
    "supervision": {"supervision", "registry", "actors"},
    "supervision.server": {"supervision.server", "supervision", "registry", "actors", "protocol"},
    "supervision.server.testing": {
        "supervision.server.testing", "supervision.server", "supervision", "registry", "actors.testing", "actors",
        "protocol",
    },
    "supervision.console": {
        "supervision.console", "supervision.server", "supervision", "registry", "actors", "protocol",
    },
    "canvas": {
        "canvas", "supervision.console", "supervision.server", "supervision", "registry", "actors", "protocol",
    },
}  # fmt: skip
"""The rooms and those of ours that they may import, from the bottom to the top."""

LIBRARIES = {
    "protocol": {"numpy"},
    "actors": {"pykka", "structlog"},
    "actors.testing": {"pytest", "structlog"},
    "registry": {"structlog"},
    "supervision": {"structlog"},
    "supervision.server": {"structlog", "uvloop"},
    "supervision.server.testing": set(),
    "supervision.console": {"structlog", "orjson", "rich", "textual", "prometheus_client"},
    "canvas": {
        "structlog", "orjson", "uvloop", "numpy", "typer", "rich", "textual", "PIL", "prometheus_client", "redis",
    },
}  # fmt: skip
"""The rooms and the libraries they may import."""

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
        return own in ROOMS[room]
    top = imported.partition(".")[0]
    if top not in sys.stdlib_module_names:
        return top in LIBRARIES[room]
    return room != "protocol" or not any(imported == part or imported.startswith(f"{part}.") for part in IMPURE)


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
    assert [use.partition(" ")[2] for use in kernel_uses("supervision.console.inspection.snapshot", source)] == [found]


def test_the_check_lets_debug_and_other_names_pass() -> None:
    source = "from actors.debug import view\nself._cells = view(ref)\nprocess = _process\ncanvas.cell = 1"
    assert kernel_uses("supervision.console.inspection.snapshot", source) == []


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
        (
            "actors.kernel.process",
            "if TYPE_CHECKING:\n    from canvas.board.grid import Grid",
            "canvas.board.grid.Grid",
        ),
        ("actors.kernel.process", "import orjson", "orjson"),
        ("actors.kernel.process", "from actors.testing import run", "actors.testing.run"),
        ("actors.testing.kit", "from supervision import child", "supervision.child"),
        ("supervision.supervisor", "from supervision.server import tree", "supervision.server.tree"),
        ("supervision.supervisor", "from supervision import server", "supervision.server"),
        ("supervision.supervisor", "from . import server", "supervision.server"),
        ("supervision.supervisor", "from .server.tree import Tree", "supervision.server.tree.Tree"),
        ("supervision.supervisor", "import pykka", "pykka"),
        ("supervision.supervisor", "import protocol.frames as frames", "protocol.frames"),
        ("supervision.server.wire", "import canvas.config", "canvas.config"),
        ("supervision.server.wire", "from .. import console", "supervision.console"),
        ("supervision.console.web", "import canvas", "canvas"),
        ("registry.registry", "import supervision.server", "supervision.server"),
        ("registry.registry", "from supervision import Supervisor", "supervision.Supervisor"),
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
        ("actors.kernel.process", "import pykka, structlog, asyncio, threading"),
        ("supervision.server.wire", "from supervision import Supervisor\nfrom protocol import Session\nimport socket"),
        ("supervision.console.web", "from registry import Registry\nfrom supervision.server import Server"),
        ("registry.groups", "from protocol import CloseCode\nfrom actors import GenServer"),
        ("supervision.task_supervisor", "from registry import Registry"),
        ("supervision.server.wire", "from registry import Registry"),
        ("canvas.store.redis", "import redis\nfrom supervision.console import routes\nfrom ..grid import Grid"),
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
