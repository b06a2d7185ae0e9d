"""Pure. Who asks, what they may do, and what they have done."""

from __future__ import annotations

from dataclasses import dataclass

from supervision.console.inspection.model.forms import Form


@dataclass(slots=True)
class Session:
    """Who asks.

    Attributes:
        access: the role: `look`, `moderate` or `administer`
        actions: what this application can do and the role allows, by name
        forms: what else the application lets them do, and the role allows
        servers: the application's; the console's own have other names
    """

    access: str
    who: str
    application: str
    servers: list[str]
    actions: list[str]
    forms: list[Form]


@dataclass(slots=True)
class Link:
    """Where a browser logs in, once.

    Attributes:
        seconds: in which it can be used
    """

    url: str
    seconds: float


@dataclass(slots=True)
class ActionOutcome:
    """An action was done.

    Attributes:
        ref, label: on whom, if on an actor
    """

    action: str
    ref: str | None = None
    label: str | None = None
    detail: str = ""
