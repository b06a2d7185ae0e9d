"""The client of the admin socket. Blocking."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

SOCKET = "admin.sock"
"""The admin socket's file name in the data folder."""


class AdminError(Exception):
    """No instance answers, or it refuses the request; the message is for the user.

    Attributes:
        status: the status of the response; None if there was none
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
    """Send a request to the instance whose data folder is `data`; returns the decoded JSON of its response.

    Args:
        body: sent as JSON; None for no body
        timeout: seconds

    Raises:
        AdminError: if no instance answers in time, or the response is an error.
    """
    connection = _UnixConnection(data / SOCKET, timeout)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise AdminError(f"no canopy answers at {data / SOCKET} ({error}): is it running with this --data?") from None
    finally:
        connection.close()
    if response.status != 200:
        raise AdminError(_explain(answer), response.status)
    return json.loads(answer)


def _explain(answer: bytes) -> str:
    """Return the message of an error response: JSON from the API, or plain text from the server below it."""
    text = answer.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["error"])
    except (ValueError, TypeError, KeyError):
        return text
