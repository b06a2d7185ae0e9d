"""What the API answers as text: whatever somebody is called, it is one line of visible characters."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.console.inspection.model.actors import Actor
from supervision.console.terminal.text import (
    ACTORS,
    Column,
    aligned,
    amount,
    bar,
    block,
    clean,
    duration,
    rate,
    size,
    table,
    trace_line,
    tree,
)

EVIL = "\x1b[31mred\x1b[0m\n\x07[b]bold[/b]\u202egnp\x9b2J\ud800"
"""Colours, a line break, a bell, markup, a right-to-left override, a one-character CSI and half a character."""


def node(label: str, *children: object, ref: str = "7") -> dict[str, object]:
    """A node of the tree."""
    return {"ref": ref, "label": label, "kind": "Worker", "state": "idle", "restarts": 1, "mailbox": 0,
            "children": list(children), "count": len(children)}  # fmt: skip


def test_what_a_terminal_obeys_is_shown_as_its_escape() -> None:
    assert clean(EVIL) == r"\x1b[31mred\x1b[0m\n\x07[b]bold[/b]\u202egnp\x9b2J\ud800"


@given(st.text(st.characters()))
def test_nothing_but_visible_characters_and_spaces_gets_through(label: str) -> None:
    shown = clean(label)
    assert all(unicodedata.category(each)[0] not in "CZ" or each == " " for each in shown)
    assert shown.encode().decode() == shown
    if label.isprintable():
        assert shown == label


def test_longer_text_keeps_its_lines() -> None:
    assert block("a\tb\n  c\x1bd\r\n") == ["a   b", r"  c\x1bd\r", ""]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (0, "0 s"), (2e-6, "2 us"), (0.0123, "12.3 ms"), (5, "5.0 s"), (61, "1m 01s"), (7_260, "2h 01m"),
     (90_000, "1d 01h")],
)  # fmt: skip
def test_duration_is_in_the_unit_that_suits_it(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (200 * 1024, "200 KiB"), (5 << 30, "5.0 GiB"),
     (5 << 40, "5120.0 GiB")],
)  # fmt: skip
def test_size_is_in_the_unit_that_suits_it(count: int, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (True, "yes"), (12_345, "12,345"), (0.5, "0.50"), ({}, "none"), ({"a\n": 2}, r"a\n 2"), ([], "none"),
     (["x", 1], "x, 1"), ("\x1b", r"\x1b")],
)  # fmt: skip
def test_any_value_is_text(value: object, shown: str) -> None:
    assert amount(value) == shown


def test_bar_stays_in_its_bounds() -> None:
    assert [bar(part, 4) for part in (-1, 0, 0.5, 1, 7)] == ["░░░░", "░░░░", "██░░", "████", "████"]


def test_rate_of_nothing_yet_is_a_dash() -> None:
    assert (rate(None), rate(1234.5)) == ("-", "1,234/s")


def test_table_stands_under_its_titles() -> None:
    columns = (Column("name", "Name"), Column("count", "Count", is_number=True), Column("last", "Last"))
    rows = [{"name": "a", "count": 1_000_000, "last": ""}, {"name": "long\nname", "count": 2, "last": "z"}]
    assert table(columns, rows) == [
        "Name            Count  Last",
        "a           1,000,000",
        r"long\nname          2  z",
    ]


def test_long_cell_is_cut() -> None:
    (_, line) = table((Column("name", "Name"),), [{"name": "x" * 500}])
    assert line == "x" * 59 + "…"


def test_facts_stand_side_by_side() -> None:
    assert aligned([("a", "1"), ("long", ""), ("b", "2")]) == ["a     1", "long", "b     2"]


def test_tree_is_drawn_with_its_branches() -> None:
    top = node("top", node("left", node(EVIL)), node("right"), ref="1")
    assert [line.split("  Worker")[0] for line in tree(top)] == [
        "top <1>", "├─ left <7>", f"│  └─ {clean(EVIL)} <7>", "└─ right <7>"
    ]  # fmt: skip


def test_trace_tells_who_called() -> None:
    line = {"after": 0.25, "kind": "call", "text": "Get\n", "caller": "<7>"}
    assert trace_line(line) == r"  0.250000  call     Get\n from <7>"
    assert "from" not in trace_line({**line, "caller": None})


def test_columns_of_actors_are_those_of_the_api() -> None:
    assert {column.name for column in ACTORS} <= set(Actor.__dataclass_fields__)
