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
    """No instance answers, or it refuses; the text is for the user."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask_admin(data: Path, method: str, path: str, *, timeout: float = 10.0) -> Any:
    """Send a request to the instance whose data folder is `data`; returns the JSON of its answer.

    Raises:
        AdminError: if nobody listens there, or the answer is an error.
    """
    connection = _UnixConnection(data / SOCKET, timeout)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise AdminError(f"no canopy answers at {data / SOCKET} ({error}): is it running, with this --data?") from None
    finally:
        connection.close()
    if response.status != 200:
        raise AdminError(_explain(body))
    return json.loads(body)


def _explain(body: bytes) -> str:
    """Why a request was refused: JSON from the API, a line of text from the server before it got there."""
    text = body.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["error"])
    except (ValueError, TypeError, KeyError):
        return text
