"""Pure. What the application lets people do: forms, and the offers to fill one in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Act:
    """Something that can be done: a form, and how it is filled in.

    Attributes:
        form: the id of the form
        values: of its fields; those that are not named are left as they are
    """

    form: str
    label: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class FormField:
    """A field of a form.

    Attributes:
        name: the parameter of the route
        kind: `text`; `choice`; a moment, `since` or `until`, sent in seconds since 1970; `area`, sent as
            X,Y,WIDTH,HEIGHT
        value: what it is at first
        choices: value -> label
        picture: of an `area`, the path below `/api/v1/` of the picture on which it can be drawn
        width, height: what that picture shows, in the units of the area
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
    """Something that the application lets people do, and what they have to say for it.

    A face sends the fields that are not empty: with `apply=0` to be told what would happen, with `apply=1` to do it.

    Attributes:
        verb: on the button
        method, path: of the route, below `/api/v1/`; its answer has the attribute `told`
    """

    id: str
    title: str
    about: str
    verb: str
    method: str
    path: str
    fields: list[FormField]
