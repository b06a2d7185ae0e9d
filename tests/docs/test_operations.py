"""The lists of docs/operations.md are complete: options, commands, unfinished files and events of the log."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from canvas.cli.commands import app
from canvas.config import Config, read_config
from canvas.data_dir import FILES
from tests.docs.pages import ROOT
from tests.test_architecture import modules

PAGE = (ROOT / "docs" / "operations.md").read_text()
LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
"""Methods of a logger, with the level that each logs at."""


def table(heading: str) -> list[list[str]]:
    """The rows of the tables in one section, as cells."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].replace("\\|", "/")
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def flags(command: Any) -> set[str]:
    """The flags of a command, without --data, which all of them have."""
    options = [each for each in command.params if each.param_type_name == "option"]
    return {flag for each in options for flag in [*each.opts, *each.secondary_opts]} - {"--data"}


def commands(group: Any, path: str = "canopy") -> Iterator[tuple[str, Any]]:
    """The commands below a group, each with the words that call it."""
    for name, command in getattr(group, "commands", {}).items():
        words = f"{path} {name}"
        yield from commands(command, words) if hasattr(command, "commands") else [(words, command)]


COMMANDS = dict(commands(typer.main.get_command(app)))
OPTIONS = {
    flag: cells
    for cells in table("Starting")
    if cells[0].startswith("`--")
    for flag in [text.split()[0] for text in quoted(cells[0])]
}


def test_page_describes_every_option_of_run() -> None:
    assert set(OPTIONS) == flags(COMMANDS["canopy run"]) | {"--data"}
    assert all(cells[-1] for cells in OPTIONS.values())


def test_page_of_the_console_describes_its_options() -> None:
    section = (ROOT / "docs" / "console.md").read_text().partition("\n## Options\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"--console-[a-z-]+", section))
    assert named == {flag for flag in OPTIONS if flag.startswith("--console-")}


@pytest.mark.parametrize("option", [name for name in Config.__dataclass_fields__ if name != "given"])
def test_option_has_its_names_and_its_default(option: str) -> None:
    flag = f"--{option.replace('_', '-')}"
    _, variable, name, default, _ = OPTIONS[flag]
    assert quoted(variable) == [f"CANOPY_{option.upper()}"]
    assert quoted(name) == [option]
    if default:
        assert getattr(read_config({option: default.strip("`")}, {}), option) == getattr(Config(), option)
    else:
        assert getattr(Config(), option) in (None, (), type(getattr(Config(), option))())


def test_page_describes_every_command_and_its_options() -> None:
    described: dict[str, set[str]] = {}
    for names, options, meaning in table("Commands"):
        assert meaning
        for name in quoted(names):
            described[re.sub(r" \[?[A-Z]+\]?$", "", name)] = set(quoted(options))
    found = {name: set() if name == "canopy run" else flags(command) for name, command in COMMANDS.items()}
    assert described == found


def test_page_names_every_suffix_of_an_unfinished_file() -> None:
    written = {
        match[1]
        for _, file in modules()
        for match in re.finditer(r"with_name\(f\"[^\"]*\}([.-][a-z]+)\"\)", file.read_text())
    }
    assert written == {".part", "-new", "-import"}
    (sentence,) = re.findall(r"Files that end in ([^.]*(?:`\.part`)?[^.]*) are unfinished", " ".join(PAGE.split()))
    assert set(quoted(sentence)) == written


def logged(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """The texts that a module gives to a logger, each with its level.

    Without a level: texts of the form of an event that it has elsewhere, such as in a tuple or as an argument.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=method), args=[event, *_]) if method in LEVELS:
                texts = [each.value for each in ast.walk(event) if isinstance(each, ast.Constant)]
                yield from ((text, LEVELS[method]) for text in texts if isinstance(text, str) and is_event(text))
            case ast.Constant(value=str(text)) if is_event(text):
                yield text, None


def is_event(text: str) -> bool:
    return re.fullmatch(r"[a-z]+\.[a-z_]+", text) is not None


SOURCES = [file.read_text() for _, file in modules()]
LOGGED = [each for source in SOURCES for each in logged(ast.parse(source))]
FAMILIES = {event.partition(".")[0] for event, level in LOGGED if level}
OTHER = {*FILES, "canvas.png", "console.tcss", "canopy.running"} | {
    name for source in SOURCES for name in re.findall(r'get_logger\("([^"]+)"\)', source)
}
"""Names of files, loggers and context variables, which look like events."""
EVENTS: dict[str, set[str]] = {}
"""Every event in the code, with the levels that are known."""
for name, level in LOGGED:
    if level or (name.partition(".")[0] in FAMILIES and name not in OTHER):
        EVENTS.setdefault(name, set()).update([level] if level else [])


def test_table_of_the_log_has_every_event() -> None:
    named = [name for row in table("The log") for name in quoted(row[0])]
    assert len(named) == len(set(named)) > 60
    assert set(named) == set(EVENTS)


def test_table_of_the_log_has_the_levels_of_the_code() -> None:
    for names, level, meaning in table("The log"):
        assert meaning
        assert level in LEVELS.values()
        for name in quoted(names):
            assert EVENTS[name] <= {level}, name


def test_event_is_found_wherever_it_stands() -> None:
    source = 'log.info("a.b", x=1)\nlog.error("a.c" if x else "a.d")\nguard(f, "a.e")\nlog.info(event)\nx = "A.b", "a"'
    assert set(logged(ast.parse(source))) == {
        ("a.b", "info"), ("a.c", "error"), ("a.d", "error"), ("a.b", None), ("a.c", None), ("a.d", None), ("a.e", None),
    }  # fmt: skip
