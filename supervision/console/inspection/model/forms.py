"""Pure. The application's forms, and the actions that open a form with values filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Act:
    """An action: a form, and values to fill in.

    Attributes:
        form: the id of the form
        values: field -> value; other fields keep their initial value
    """

    form: str
    label: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class FormField:
    """A field of a form.

    Attributes:
        name: the parameter of the route
        kind: `text`; `choice`; `since` or `until`, a time sent in seconds since 1970; `area`, sent as X,Y,WIDTH,HEIGHT
        value: the initial value
        choices: value -> label
        picture: for an `area`, the path below `/api/v1/` of the picture on which the user can draw it
        width, height: the size of that picture, in the units of the area
    """

    name: str
    label: str
    kind: Literal["text", "choice", "since", "until", "area"] = "text"
    value: str = ""
    hint: str = ""
    choices: dict[str, str] = field(default_factory=dict)
    picture: str = ""
    width: int = 0
    height: int = 0


@dataclass(slots=True)
class Form:
    """A form through which a user calls a route of the application.

    A front end sends the fields that are not empty: with `apply=0` to preview the result, with `apply=1` to apply it.

    Attributes:
        about: what the form does
        verb: the label of its button
        method, path: the route, below `/api/v1/`; its response has the attribute `told`, an `ActionResult`
    """

    id: str
    title: str
    about: str
    verb: str
    method: str
    path: str
    fields: list[FormField]
