"""The modules, files and links on the pages exist."""

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.architecture import PAGE, PARTS, pattern, written
from tests.docs.pages import ROOT
from tests.test_architecture import modules

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = "actors|protocol|registry|supervision|canvas|tests|docs"
DOTTED = re.compile(r"`((?:actors|protocol|registry|supervision|canvas)(?:\.\w+)+)`")
FILE = re.compile(rf"(?<![\w/.-])((?:{FOLDERS})/[\w/.*-]*[\w/*])")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")
EXAMPLES = {"tests/test_counter.py"}
"""Files of the reader's own project."""
QUEUES = re.compile(r"^## What waits in memory$.*?(?=^## )", re.MULTILINE | re.DOTALL)
"""A table of attributes that `test_queues` checks."""


def texts() -> str:
    """Return all strings in the packages: names of files and of events look like names of modules."""
    constants = (
        node.value
        for _, file in modules()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return "\n".join(constants)


TEXTS = texts()


def unknown_names(text: str) -> list[str]:
    """Return the dotted names that are neither modules, nor members of one, nor strings in the packages."""
    return [name for name in DOTTED.findall(QUEUES.sub("", text)) if not exists(name) and name not in TEXTS]


def exists(name: str) -> bool:
    """Return whether `name` is a module, or a member of one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            is_module = importlib.util.find_spec(".".join(parts[:end])) is not None
        except ModuleNotFoundError:
            continue
        if is_module:
            found: Any = importlib.import_module(".".join(parts[:end]))
            for part in parts[end:]:
                found = getattr(found, part, None)
            return found is not None
    return False


def missing_files(text: str) -> list[str]:
    """Return the paths from the root that do not exist; `*` is a wildcard."""
    return [path for path in FILE.findall(text) if path not in EXAMPLES and not any(ROOT.glob(path))]


def broken_links(page: Path, text: str) -> list[str]:
    """Return the links to missing files or missing headings."""
    broken = []
    for target, heading in LINK.findall(text):
        file = (page.parent / target) if target else page
        is_there = file.exists() and (not heading or heading[1:] in anchors(file.read_text()))
        broken += [] if is_there else [target + heading]
    return broken


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    assert unknown_names(text) + missing_files(text) + broken_links(page, text) == []


def test_what_is_not_there_would_be_found() -> None:
    assert unknown_names("`canvas.grid` `canvas.board.grid.Grit` `canvas.board.grid` `canvas.db`") == [
        "canvas.grid",
        "canvas.board.grid.Grit",
    ]
    assert missing_files("see canvas/grid.py, `canvas/board/` and tests/docs/test_*.py.") == ["canvas/grid.py"]
    assert broken_links(PAGE, "[a](semantic.md) [b](semantics.md#turn) [c](semantics.md#turns) [d](#layers)") == [
        "semantic.md",
        "semantics.md#turn",
    ]


INDEX = ROOT / "docs" / "README.md"
SIGNED = [page for page in PAGES if "decisions" not in page.parts or page.name == "README.md"]
"""All pages except single decisions, which have their own index."""


def linked(page: Path) -> set[Path]:
    """Return the files that a page links to, and the page itself."""
    return {page, *((page.parent / target).resolve() for target, _ in LINK.findall(page.read_text()) if target)}


def test_every_page_is_in_the_index() -> None:
    assert set(SIGNED) - linked(INDEX) == {ROOT / "README.md"}


@pytest.mark.parametrize("page", SIGNED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_leads_to_the_index_and_the_architecture(page: Path) -> None:
    assert linked(page) >= {INDEX, PAGE}


@pytest.mark.parametrize("part", PARTS)
def test_the_page_of_the_architecture_has_what_the_code_says(part: str) -> None:
    found = pattern(part).search(PAGE.read_text())
    assert found is not None
    assert found[0] == f"{found[1]}{PARTS[part]()}{found[2]}"


def test_the_page_can_be_written_anew() -> None:
    page = PAGE.read_text()
    assert written(page) == page
