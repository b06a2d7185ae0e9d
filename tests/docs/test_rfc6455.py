"""docs/rfc6455.md: every function and every test on it exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "rfc6455.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("| Section |", "|---"))
]


def names_in(file: Path) -> Iterator[str]:
    """Yield every name that a module defines: `name`, `module.name`, `Class.name` and `module.Class.name`."""
    for node in ast.parse(file.read_text()).body:
        for name, owner in definitions(node):
            path = f"{owner}.{name}" if owner else name
            yield from (path, f"{file.stem}.{path}")


def definitions(node: ast.stmt, owner: str = "") -> Iterator[tuple[str, str]]:
    """Yield the names that a statement defines, each with its class."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name, owner
        case ast.ClassDef(name=name, body=body):
            yield name, owner
            for member in body:
                yield from definitions(member, name)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            yield name, owner


FILES = [*(ROOT / "protocol").glob("*.py"), *(ROOT / "supervision" / "server").glob("*.py")]
DEFINED = {name for file in FILES for name in names_in(file)}
SOURCES = [file.read_text() for file in (ROOT / "tests").rglob("test_*.py")]
TESTS = {name for source in SOURCES for name in re.findall(r"def (test_\w+)", source)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}"[:60])
def test_a_rule_has_its_function_and_its_test(row: list[str]) -> None:
    _, rule, functions, tests = row
    assert rule
    named = re.findall(r"`([\w.]+)`", functions)
    assert named
    assert [name for name in named if name not in DEFINED] == []
    proofs = re.findall(r"`(test_\w+)`", tests)
    assert proofs or tests == "the table of RFC 9112 below"
    assert [name for name in proofs if name not in TESTS] == []


def test_every_test_on_the_page_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "rfc6455.md").read_text()))
    assert len(named) > 100
    assert named - TESTS == set()


def test_a_name_that_does_not_exist_would_be_found() -> None:
    assert "Session.accept" in DEFINED
    assert "frames.parse_header" in DEFINED
    assert "Session.excerpt" not in DEFINED
