"""The files of the web console, read once at the start, so that no request can reach another file."""

from __future__ import annotations

import mimetypes
from html import escape
from pathlib import Path

from protocol import Request, Response
from supervision.server import page_files

FOLDER = Path(__file__).parent / "static"


class StaticPages:
    """Serves the files.

    Args:
        folder: `index.html` is served as `/`, `login.html` as the login page, all other files under `/static/`
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {url: _response(path) for url, path in page_files(folder)}
        self._files["/"] = self._files.pop("/static/index.html")
        self._login = self._files.pop("/static/login.html")

    def find(self, request: Request) -> Response | None:
        """Return the file at the request's path; None if there is none."""
        return self._files.get(request.path)

    def login(self, status: int, headers: tuple[tuple[str, str], ...] = (), refusal: str = "") -> Response:
        """Return the login page, with the reason why the last token was refused."""
        page = self._login
        return Response(status, (*page.headers, *headers), page.body.replace(b"{refusal}", escape(refusal).encode()))


def _response(path: Path) -> Response:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return Response(200, (("Content-Type", kind),), path.read_bytes())
