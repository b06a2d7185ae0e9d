"""The table of queues and caches in docs/operations.md is complete, and its limits are those of the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.debug import HIGH_WATER, REMEMBERED
from actors.stderr import MAX_WAITING
from canvas.application import QUESTIONS
from canvas.live import canvas, recent_changes, recent_users, snapshot_cache
from canvas.live.snapshot_cache import KEPT_BYTES, MAX_BYTES
from canvas.live.snapshot_encoder import MAX_TILES
from canvas.store import sqlite
from canvas.web import pixel_history
from canvas.web.images import MAX_KEPT
from supervision.console.api import principals
from supervision.console.inspection import samples, tracing
from supervision.console.inspection.inspector import Inspector
from supervision.server import Policy, rate_limit
from supervision.server.incoming import MAX_EVENTS, MAX_INFLATED_EVENTS, MAX_UNCONSUMED
from supervision.server.outgoing import PIECE
from supervision.server.unread import SHARES
from tests.docs.pages import ROOT
from tests.support.instance import simulation
from tests.support.scenarios import simulated

FOLDERS = ["supervision/server", "supervision/console", "canvas", "protocol"]
POLICY = Policy()
OTHER = ("supervision/server/testing", "supervision/console/terminal/", "canvas/cli/")
"""Modules that do not run in a server."""
FIXED = {"actors.keys", "sockets.listening", "sockets._when_gone"}
"""Containers that do not grow while a server runs."""
CONTAINER = re.compile(r"(list|dict|deque|OrderedDict|defaultdict|Counter|set|bytearray)\b|\[\]$|\{\}$|b''$")


def rows() -> list[list[str]]:
    """Return the cells of each row of the table."""
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.partition("## What waits in memory")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def containers(path: Path) -> Iterator[str]:
    """Yield the containers that a module assigns to attributes, as `module.attribute`."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.AnnAssign(target=ast.Attribute(attr=name), annotation=kind):
                pass
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=kind):
                pass
            case _:
                continue
        if CONTAINER.match(ast.unparse(kind)):
            yield f"{path.stem}.{name}"


def test_every_queue_and_cache_is_in_the_table() -> None:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {name for path in paths if not str(path.relative_to(ROOT)).startswith(OTHER) for name in containers(path)}
    named = [name for row in rows() for name in re.findall(r"`(\w+\.\w+)`", row[-1])]
    assert len(named) == len(set(named)) > 50
    assert set(named) == found - FIXED


def test_each_has_a_limit_and_a_share_or_says_why_not() -> None:
    for row in rows():
        assert len(row) == 5, row
        assert all(row[:4]), row
        assert not any(cell == "none" for cell in row[1:2]), row


def mib(size: int) -> str:
    return f"{size // 2**20} MiB"


@pytest.mark.parametrize(
    ("what", "limits"),
    [
        (
            "what clients do not read",
            [mib(POLICY.max_unread), mib(POLICY.max_backlog), mib(POLICY.max_unread // SHARES)],
        ),
        ("what the transport", [f"{PIECE // 1024} KiB"]),
        ("what clients sent", [f"{MAX_EVENTS:,} events", mib(MAX_UNCONSUMED), f"{MAX_INFLATED_EVENTS} events"]),
        ("refused clients", [f"{POLICY.max_pending_refusals}"]),
        ("mailboxes", [f"{HIGH_WATER:,}"]),
        (
            "snapshots of the canvas",
            [mib(MAX_BYTES), mib(KEPT_BYTES), mib(MAX_BYTES // snapshot_cache.SHARES)],
        ),
        ("compressed tiles", [mib(MAX_TILES)]),
        ("pictures", [mib(MAX_KEPT)]),
        ("painted pixels", [f"{canvas.MAX_WAITING:,}", f"{canvas.SHARE:,}"]),
        ("questions", [f"{pixel_history.MOST_WAITING}", f"{pixel_history.SHARE}"]),
        ("the last changes", [f"{recent_changes.REMEMBERED:,}", f"{recent_changes.ENCODED:,}"]),
        ("allowances", [f"{rate_limit.MOST:,}"]),
        ("recent users", [f"{recent_users.REMEMBERED:,}"]),
        ("numbers of painters", [f"{sqlite.KNOWN_USERS:,}"]),
        ("lines of the log", [mib(MAX_WAITING)]),
        ("crashes", [f"{REMEMBERED}"]),
        ("samples", [f"{samples.KEPT}"]),
        ("sessions", [f"{principals.MAX_SESSIONS:,}", f"{principals.MAX_ADDRESSES:,}"]),
        ("traces", [f"{tracing.KEPT}", f"{tracing.MAX_LINES:,}"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits_of_the_table_are_those_of_the_code(what: str, limits: list[str]) -> None:
    (row,) = [row for row in rows() if row[0].startswith(what)]
    for limit in limits:
        assert re.search(rf"\b{limit}\b", f"{row[1]} {row[2]}"), limit


@simulated
async def test_limits_of_the_console_are_those_of_the_table(tmp_path: Path) -> None:
    async with simulation(tmp_path) as running:
        inspector: Inspector = running.application.console._inspector
        shown = {re.sub(r" of (server|admin|web)$", " of …", usage.name) for usage in inspector.overview().limits}
    cells = [cell for row in rows() for cell in row[3].split(";") if cell.strip().startswith("Limits:")]
    named = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    assert shown - {"file descriptors"} == named
    assert QUESTIONS in named
