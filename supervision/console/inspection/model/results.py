"""Pure. What a form would do, or has done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from supervision.console.inspection.model.forms import Act
from supervision.console.inspection.model.pages import PageTable


@dataclass(slots=True)
class ResultPicture:
    """A picture.

    Attributes:
        source: a PNG as `data:` URL
    """

    title: str
    source: str
    width: int
    height: int


@dataclass(slots=True)
class ActionResult:
    """What a form would do, or has done, as every face shows it.

    Attributes:
        text: a sentence
        warnings: what somebody should know before they do it
        values: name -> value
        confirm: a parameter that has to be `1` as well, and what is agreed to by that
        is_possible: there is something to do
        acts: what may be done next, such as to undo it
    """

    text: str
    warnings: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    table: PageTable | None = None
    pictures: list[ResultPicture] = field(default_factory=list)
    confirm: dict[str, str] = field(default_factory=dict)
    is_possible: bool = True
    acts: list[Act] = field(default_factory=list)
