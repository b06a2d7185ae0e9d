"""docs/otp-map.md: every name exists, and every row without a name gives a reason."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import actors
import registry
import supervision

PAGE = Path(__file__).parents[2] / "docs" / "otp-map.md"
NAME = re.compile(r"`((?:actors|supervision|registry)(?:\.\w+)*)`")


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the rows of all tables: OTP's name, ours, and the note."""
    for line in PAGE.read_text().splitlines():
        if line.startswith("|") and not line.startswith(("| OTP |", "|---")):
            otp, canopy, note = (cell.strip() for cell in line.strip("|").split("|"))
            yield otp, canopy, note


def names() -> list[str]:
    """Return every Canopy name on the page."""
    return sorted(set(NAME.findall(PAGE.read_text())))


def resolve(name: str) -> Any:
    """Import the longest module in `name`, and follow the attributes.

    Raises:
        AttributeError: if the name does not exist.
    """
    parts = name.split(".")
    found: Any = importlib.import_module(parts[0])
    for end, part in enumerate(parts[1:], start=2):
        if not hasattr(found, part):
            try:
                importlib.import_module(".".join(parts[:end]))
            except ModuleNotFoundError:
                raise AttributeError(name) from None
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", names())
def test_a_name_on_the_page_exists(name: str) -> None:
    assert resolve(name) is not None


def test_a_name_that_does_not_exist_would_be_found() -> None:
    for name in ("actors.calls", "actors.gen_statem.Nexxt", "supervision.Supervisor.inits", "registry.pubsub.publish"):
        with pytest.raises(AttributeError):
            resolve(name)


@pytest.mark.parametrize(("otp", "canopy", "note"), list(rows()))
def test_a_row_has_a_name_or_a_reason(otp: str, canopy: str, note: str) -> None:
    if canopy == "none":
        assert note, f"{otp} has neither a name nor a reason"
    else:
        assert NAME.sub("", canopy).strip() == "", f"{canopy} is more than names"


UNMAPPED = {
    "actors.AlreadyStarted", "actors.BlockingOnLoopError", "actors.CallExit", "actors.ExitReason",
    "actors.Monitor", "actors.Scheduler", "actors.Status", "actors.is_clean", "actors.start_successor",
    "supervision.ALREADY_PRESENT", "supervision.BAD_ID", "supervision.BadCombination", "supervision.BadSpecs",
    "supervision.DYNAMIC", "supervision.DuplicateId", "supervision.FailedToStart", "supervision.NOT_FOUND",
    "supervision.RESTARTING", "supervision.RUNNING", "supervision.UNKNOWN_REQUEST",
}  # fmt: skip
"""Public names without a row: exit reasons and errors of mapped names, and names without an OTP counterpart."""


def test_every_public_name_has_a_row() -> None:
    public = {f"{package.__name__}.{name}" for package in (actors, supervision, registry) for name in package.__all__}
    mapped = {".".join(name.split(".")[:2]) for name in names()}
    assert public - mapped - UNMAPPED == set()
    assert public >= UNMAPPED
