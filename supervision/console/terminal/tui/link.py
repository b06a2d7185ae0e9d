"""The console's way to the instance it shows: requests that wait in threads, never on the loop that draws."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from supervision.console.terminal.client import ask_admin
from supervision.console.terminal.text import Json

TIMEOUT = 5.0
"""Seconds until an instance counts as gone that has taken a request and not answered it."""


class Link:
    """Asks the API of one instance. Its methods raise `AdminError`.

    Args:
        data: the instance's folder
    """

    def __init__(self, data: Path) -> None:
        self.data = data

    async def get(self, *path: str, **query: Any) -> Any:
        """Ask for something; a parameter that is None or empty is left out."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return await self._ask("GET", path, f"?{urlencode(given)}" if given else "")

    async def post(self, *path: str, body: Any = None) -> Any:
        """Have something done."""
        return await self._ask("POST", path, body=body)

    async def send(self, form: Json, **values: str) -> Any:
        """Send a form of the application; a value that is empty is left out."""
        given = {name: value for name, value in values.items() if value}
        return await self._ask(form["method"], tuple(form["path"].split("/")), f"?{urlencode(given)}")

    async def delete(self, *path: str) -> Any:
        """Have something ended."""
        return await self._ask("DELETE", path)

    async def _ask(self, method: str, path: tuple[str, ...], query: str = "", body: Any = None) -> Any:
        url = "/".join(("/api/v1", *(quote(part, safe="") for part in path))) + query
        return await asyncio.to_thread(ask_admin, self.data, method, url, body, timeout=TIMEOUT)
