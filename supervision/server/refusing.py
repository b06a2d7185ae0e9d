"""Pure. How a WebSocket handshake is refused so that a page learns why.

A browser hides the status of a refused handshake from the page: a ban, a full server and an unplugged cable look the
same. So a page's handshake is accepted and closed at once, with a close code that stands for the status.
"""

from __future__ import annotations

from protocol import HttpError, Request, Upgrade, validate
from supervision.server.origins import Origins

FIRST_CODE = 4000
"""Plus the HTTP status: the close code of a refusal. RFC 6455 §7.4.2 leaves 4000 to 4999 to applications."""


class HandshakeRefused(HttpError):
    """A WebSocket handshake gets `status` for an answer, or a page that sent it the close code 4000 + `status`."""

    @property
    def close_code(self) -> int:
        """What a page is told."""
        return FIRST_CODE + self.status


def page_handshake(request: Request, origins: Origins) -> Upgrade | None:
    """Return the handshake of a page that may open WebSockets here; None for any other request.

    Browsers name the Origin of the page (RFC 6455 §4.1), and other clients see the status.
    """
    try:
        upgrade = validate(request)
    except HttpError:
        return None
    is_of_page = upgrade.origin is not None and origins.permit(upgrade.origin, request.host)
    return upgrade if is_of_page else None


def first_subprotocol(upgrade: Upgrade) -> str | None:
    """Choose a subprotocol for a WebSocket that carries nothing: a browser that offers some fails without one."""
    return upgrade.subprotocols[0] if upgrade.subprotocols else None
