"""Pure. The preview or the result of a form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from supervision.console.inspection.model.forms import Act
from supervision.console.inspection.model.pages import PageTable


@dataclass(slots=True)
class ResultPicture:
    """A picture in a result.

    Attributes:
        source: a PNG, as a `data:` URL
    """

    title: str
    source: str
    width: int
    height: int


@dataclass(slots=True)
class ActionResult:
    """The preview or the result of a form, which the front ends render.

    Attributes:
        text: a sentence that sums it up
        warnings: what the user should know before they apply the form
        values: name -> value
        confirm: parameter -> what the user agrees to; the parameter must be `1` when the form is applied
        is_possible: whether there is anything to apply
        acts: follow-up actions, such as undoing it
    """

    text: str
    warnings: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    table: PageTable | None = None
    pictures: list[ResultPicture] = field(default_factory=list)
    confirm: dict[str, str] = field(default_factory=dict)
    is_possible: bool = True
    acts: list[Act] = field(default_factory=list)
