"""The command line's side of the admin socket. Blocking."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

SOCKET = "admin.sock"
"""The admin socket's name in the data folder."""


class AdminError(Exception):
    """No instance answers, or it refuses; the text is for the user.

    Attributes:
        status: of the answer; None if there was none
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask_admin(data: Path, method: str, path: str, body: Any = None, *, timeout: float = 10.0) -> Any:
    """Send a request to the instance whose data folder is `data`; returns the JSON of its answer.

    Args:
        body: what is sent as JSON, if anything is

    Raises:
        AdminError: if nobody listens there, or the answer is an error.
    """
    connection = _UnixConnection(data / SOCKET, timeout)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise AdminError(f"no canopy answers at {data / SOCKET} ({error}): is it running, with this --data?") from None
    finally:
        connection.close()
    if response.status != 200:
        raise AdminError(_explain(answer), response.status)
    return json.loads(answer)


def _explain(answer: bytes) -> str:
    """Why a request was refused: JSON from the API, a line of text from the server before it got there."""
    text = answer.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["error"])
    except (ValueError, TypeError, KeyError):
        return text
