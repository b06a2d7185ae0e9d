"""The admin API: the tree, and a way to make an actor crash. Served on the admin socket."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from urllib.parse import unquote

import structlog

from actors import Ref
from actors.debug import find, force_exit
from protocol import HttpError, Request, Response
from supervision.console.snapshot import tree
from supervision.server import Answer

log = structlog.get_logger("canopy.console")

CRASH = "crash"
"""The reason with which an actor exits that was made to crash."""

_NUMBER = re.compile(r"[0-9]{1,18}")
_CRASH_PATH = re.compile(r"/api/v1/actors/([^/]+)/crash\Z")


MoreRoutes: TypeAlias = Callable[[Request], "Answer | Awaitable[Answer] | None"]


class AdminRoutes:
    """Answers the admin API.

    Args:
        root: tells the top supervisor
        more: answers what the application adds; None for a path that it does not know
    """

    def __init__(self, root: Callable[[], Ref], more: MoreRoutes = lambda request: None) -> None:
        self._root = root
        self._more = more

    def __call__(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request."""
        if request.path == "/api/v1/tree":
            _require(request, "GET")
            return self._tree()
        crash = _CRASH_PATH.match(request.path)
        if crash is not None:
            _require(request, "POST")
            return self._crash(unquote(crash[1]))
        answer = self._more(request)
        if answer is None:
            raise HttpError(404, f"there is no {request.path}")
        return answer

    def _tree(self) -> Response:
        top = tree(self._root())
        if top is None:
            raise HttpError(503, "the application is stopping")
        return _json(top.as_dict())

    def _crash(self, text: str) -> Response:
        ref = find(int(text)) if _NUMBER.fullmatch(text) else None
        if ref is None:
            raise HttpError(404, f"there is no actor {text}")
        if ref is self._root() or ref.label.endswith(" master"):
            raise HttpError(403, "the root of the tree cannot be crashed: nobody would restart it")
        log.warning("console.crash", actor=repr(ref))
        force_exit(ref, CRASH)
        return _json({"crashed": text, "label": ref.label})


def _require(request: Request, method: str) -> None:
    if request.method != method:
        raise HttpError(405, f"only {method} is allowed here", (("Allow", method),))


def _json(value: Any) -> Response:
    return Response(200, (("Content-Type", "application/json"),), json.dumps(value).encode() + b"\n")
