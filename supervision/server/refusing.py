"""Pure. How to refuse a WebSocket handshake so that a page learns the reason.

A browser hides the status of a failed handshake from the page, so a ban, a full server and an unplugged cable look the
same. So the handshake of a page is accepted and closed at once, with a close code that stands for the status.
"""

from __future__ import annotations

from protocol import HttpError, Request, Upgrade, validate
from supervision.server.origins import Origins

FIRST_CODE = 4000
"""The close code of a refusal is this plus the HTTP status. 4000 to 4999 are for private use (RFC 6455 §7.4.2)."""


class HandshakeRefused(HttpError):
    """Refuses a WebSocket handshake: with the HTTP `status`, or for a page with the close code 4000 + `status`."""

    @property
    def close_code(self) -> int:
        """The close code for a page."""
        return FIRST_CODE + self.status


def page_handshake(request: Request, origins: Origins) -> Upgrade | None:
    """Return the handshake of a page with a permitted origin; None for any other request.

    Browsers send the Origin of the page (RFC 6455 §4.1). Other clients see the HTTP status.
    """
    try:
        upgrade = validate(request)
    except HttpError:
        return None
    is_of_page = upgrade.origin is not None and origins.permit(upgrade.origin, request.host)
    return upgrade if is_of_page else None


def first_subprotocol(upgrade: Upgrade) -> str | None:
    """Choose the subprotocol of a refusal. A browser that offers subprotocols fails the connection without one."""
    return upgrade.subprotocols[0] if upgrade.subprotocols else None
