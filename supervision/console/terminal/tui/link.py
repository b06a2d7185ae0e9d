"""The full-screen console's API client. Requests block in threads, never on the event loop that draws."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from supervision.console.terminal.client import ask_admin
from supervision.console.terminal.text import Json

TIMEOUT = 5.0
"""Seconds after which an instance that does not answer a request counts as gone."""


class Link:
    """Calls the API of one instance. Its methods raise `AdminError`.

    Args:
        data: the instance's data folder
    """

    def __init__(self, data: Path) -> None:
        self.data = data

    async def get(self, *path: str, **query: Any) -> Any:
        """Send a GET request; omits parameters that are None or empty."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return await self._ask("GET", path, f"?{urlencode(given)}" if given else "")

    async def post(self, *path: str, body: Any = None) -> Any:
        """Send a POST request."""
        return await self._ask("POST", path, body=body)

    async def send(self, form: Json, **values: str) -> Any:
        """Send a form of the application; omits empty values."""
        given = {name: value for name, value in values.items() if value}
        return await self._ask(form["method"], tuple(form["path"].split("/")), f"?{urlencode(given)}")

    async def delete(self, *path: str) -> Any:
        """Send a DELETE request."""
        return await self._ask("DELETE", path)

    async def _ask(self, method: str, path: tuple[str, ...], query: str = "", body: Any = None) -> Any:
        url = "/".join(("/api/v1", *(quote(part, safe="") for part in path))) + query
        return await asyncio.to_thread(ask_admin, self.data, method, url, body, timeout=TIMEOUT)
