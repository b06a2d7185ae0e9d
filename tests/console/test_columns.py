"""The columns of both consoles are the fields of the rows of the API, and every field is a column of one of them."""

import dataclasses
import re
from collections.abc import Sequence

import pytest

from supervision.console.inspection.model.actors import Actor
from supervision.console.inspection.model.connections import ConnectionRow
from supervision.console.inspection.model.crashes import CrashRow
from supervision.console.inspection.model.names import Entry, Topic
from supervision.console.terminal import text
from supervision.console.web.static_files import FOLDER

TABLES = [
    ("actors", Actor, text.ACTORS, set()),
    # The name links to the actor, the peer has the address, the acts are buttons.
    ("connections", ConnectionRow, text.CONNECTIONS, {"actor", "address", "acts"}),
    ("names", Entry, text.ENTRIES, set()),
    ("topics", Topic, text.TOPICS, set()),
    # The details of a crash say who asked for it.
    ("crashes", CrashRow, text.CRASHES, {"asked_by"}),
]
DERIVED = {"acts", "ago"}
"""Columns of the web console that show no field as it is."""


@pytest.mark.parametrize(("table", "row", "in_terminal", "hidden"), TABLES, ids=[table[0] for table in TABLES])
def test_columns_show_the_fields_of_a_row_and_all_of_them(
    table: str, row: type, in_terminal: Sequence[text.Column], hidden: set[str]
) -> None:
    view = (FOLDER / "views" / f"{table}.js").read_text()
    on_the_web = {name for found in re.findall(r'column\("(\w+)"|name: "(\w+)", label', view) for name in found if name}
    fields = {field.name for field in dataclasses.fields(row)}
    shown = (on_the_web - DERIVED) | {column.name for column in in_terminal}
    assert on_the_web, "the pattern finds no column"
    assert shown <= fields
    assert fields - shown == hidden
