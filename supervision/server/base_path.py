"""Pure. A server that a proxy publishes under a path, such as https://example.org/canvas/."""

from __future__ import annotations

import re
from collections.abc import Awaitable

from protocol import Request, Response
from supervision.server.connection import Answer, Routes

_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def read_base_path(text: str) -> str:
    """Parse a path such as `/canvas`, with or without a trailing slash; `/` is the root.

    Returns:
        The path without the trailing slash, so "" for the root.

    Raises:
        ValueError: if a segment is not made of letters, digits and . _ ~ -, or is `.` or `..`.
    """
    path = text.removesuffix("/")
    if path and (_BASE_PATH.fullmatch(path) is None or {".", ".."} & set(path.split("/"))):
        raise ValueError(f"{text!r} is not a path like /canvas")
    return path


def cookie_prefix(path: str) -> str:
    """Return the name prefix of a cookie for `path` that is sent over TLS only (RFC 6265bis §4.1.3).

    A page without TLS cannot set such a cookie. At the root, no other host can set it either.
    """
    return "__Host-" if path == "/" else "__Secure-"


class BasePath:
    """Routes that strip a base path from the requests below it.

    Some proxies strip the path themselves, so a request that is not below it passes unchanged.

    Args:
        path: from `read_base_path`
        routes: get the stripped requests
    """

    def __init__(self, path: str, routes: Routes) -> None:
        self._path = path
        self._routes = routes

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request."""
        if self._path and request.path == self._path:  # links in a page are relative to its folder
            location = self._path + "/" + ("?" + request.query if request.query else "")
            return Response(308, (("Location", location),))
        return self._routes(request.below(self._path) or request)
