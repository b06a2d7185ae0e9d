"""Pure. The caller's session, and the outcome of their actions."""

from __future__ import annotations

from dataclasses import dataclass

from supervision.console.inspection.model.forms import Form


@dataclass(slots=True)
class Session:
    """The caller, and what their role allows.

    Attributes:
        access: the role: `look`, `moderate` or `administer`
        who: the credential and the address, as in the audit log
        servers: names of the application's servers, without the console's own
        actions: names of the actions that the application supports and the role allows
        forms: the application's forms that the role allows
    """

    access: str
    who: str
    application: str
    servers: list[str]
    actions: list[str]
    forms: list[Form]


@dataclass(slots=True)
class Link:
    """A link with which a browser logs in once.

    Attributes:
        seconds: for which it is valid
    """

    url: str
    seconds: float


@dataclass(slots=True)
class ActionOutcome:
    """An action that has been done.

    Attributes:
        ref, label: the actor that it acted on; None if it acted on none
    """

    action: str
    ref: str | None = None
    label: str | None = None
    detail: str = ""
