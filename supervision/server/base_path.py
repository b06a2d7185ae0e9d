"""Pure. A server that users reach under a path of a proxy, such as https://example.org/canvas/."""

from __future__ import annotations

import re
from collections.abc import Awaitable

from protocol import Request, Response
from supervision.server.connection import Answer, Routes

_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def read_base_path(text: str) -> str:
    """Read a path like `/canvas`, with or without a slash at its end; `/` is the root.

    Returns:
        The path without the slash at its end, so "" for the root.

    Raises:
        ValueError: if it is not a path of letters, digits and . _ ~ -, or has a segment `.` or `..`.
    """
    path = text.removesuffix("/")
    if path and (_BASE_PATH.fullmatch(path) is None or {".", ".."} & set(path.split("/"))):
        raise ValueError(f"{text!r} is not a path like /canvas")
    return path


def cookie_prefix(path: str) -> str:
    """What the name of a cookie for `path` that is sent over TLS alone begins with (RFC 6265bis §4.1.3).

    No page without TLS can set such a cookie, and at the root no other host can.
    """
    return "__Host-" if path == "/" else "__Secure-"


class BasePath:
    """Answers what is asked for under a path as if that were the root.

    A proxy may leave the path in its requests or cut it off: a request that is not under it is answered as it is.

    Args:
        path: as of `read_base_path`
        routes: answer the requests
    """

    def __init__(self, path: str, routes: Routes) -> None:
        self._path = path
        self._routes = routes

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request."""
        if self._path and request.path == self._path:  # the addresses in a page are relative to its folder
            location = self._path + "/" + ("?" + request.query if request.query else "")
            return Response(308, (("Location", location),))
        return self._routes(request.below(self._path) or request)
