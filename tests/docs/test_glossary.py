"""The glossary retires names: none is an identifier in our packages any more."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "glossary.md"
PACKAGES = ("actors", "protocol", "supervision", "registry", "canvas")
SECTION = PAGE.read_text().partition("## Retired names")[2]
ROWS = re.findall(r"^\| (`.+`) \| (.+) \|$", SECTION, re.MULTILINE)
RETIRED = [name for names, _ in ROWS for name in re.findall(r"`(\w+)`", names)]


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a module defines, binds, reads or imports, with its line."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name, line
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, line
            case ast.keyword(arg=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, line
            case ast.alias(name=path, asname=alias):
                yield from ((name, line) for name in [*path.split("."), alias or ""])
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from ((name, line) for name in names)
            case ast.MatchClass(kwd_attrs=names):
                yield from ((name, line) for name in names)
            case ast.MatchMapping(rest=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name, line


def retired(source: str) -> list[str]:
    """The retired names that a module uses, as `line: name`."""
    return [f"{line}: {name}" for name, line in identifiers(ast.parse(source)) if name in RETIRED]


def test_glossary_lists_each_retired_name_once_with_its_successor() -> None:
    assert len(RETIRED) == len(set(RETIRED)) > 40
    assert [successor for _, successor in ROWS if not re.fullmatch(r"`\w+`(, `\w+`)*", successor)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_retired_names_are_not_used(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = [f"{file.relative_to(ROOT)}:{use}" for file in files for use in retired(file.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "keepsake = 1",
        "self._fate = None",
        "def doom(self): ...",
        "async def _hear(): ...",
        "class Undoing: ...",
        "def f(household): ...",
        "f(carried=1)",
        "from canvas import Visitor",
        "from canvas import Handler as Visitor",
        "import canvas.Past",
        "match x:\n    case Past(): ...",
        "match x:\n    case {**household}: ...",
        "match x:\n    case Wire(keepsake=1): ...",
        "match x:\n    case [*carried]: ...",
        "match x:\n    case int() as carried: ...",
        "def f():\n    global household",
        "try: ...\nexcept E as doom: ...",
    ],
)
def test_planted_use_is_found(source: str) -> None:
    assert len(retired(source)) == 1


def test_words_in_texts_and_longer_names_are_no_uses() -> None:
    assert retired("'keepsake'  # household\nhousehold_size = doomed = PastTense") == []
