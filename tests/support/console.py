"""A canvas with a console on a free port, and somebody who asks it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from canvas.application import CanvasApplication
from tests.support.instance import new_application, running
from tests.support.raw_socket import Answer, RawSocket


@dataclass(frozen=True)
class Asker:
    """Asks a console over HTTP, with one of its tokens.

    Attributes:
        token: None for none
    """

    application: CanvasApplication
    token: str | None

    @property
    def port(self) -> int:
        """The console's port."""
        web = self.application.console.web
        assert web is not None
        return web.port

    def anonymous(self) -> "Asker":
        """The same without a token."""
        return Asker(self.application, None)

    def reader(self) -> "Asker":
        """The same with the token that may only look."""
        tokens = self.application.console.tokens
        assert tokens is not None
        return Asker(self.application, tokens.read)

    async def send(self, method: str, target: str, body: bytes = b"", /, **headers: str | None) -> Answer:
        """Send one request as it is."""
        bearer = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = {"Host": "127.0.0.1", **bearer, "Content-Length": str(len(body)) if body else None, **given}
        lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
        async with await RawSocket.open(self.port) as raw:
            raw.send("\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode("latin-1") + body)
            return await raw.answer(to_head=method == "HEAD")

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Ask the API, and expect `status`; returns the JSON of the answer."""
        answer = await self.send(method, f"/api/v1/{path}", b"" if body is None else orjson.dumps(body))
        assert answer.status == status, answer
        assert answer.headers["content-type"] == "application/json"
        return orjson.loads(answer.body)

    async def get(self, path: str) -> Any:
        """Ask the API for something."""
        return await self.ask("GET", path)


@contextlib.asynccontextmanager
async def console(data: Path, **options: Any) -> AsyncIterator[Asker]:
    """Run a canvas with a console; yields somebody who may do everything."""
    application = new_application(data, console_port=0, **options)
    tokens = application.console.tokens
    assert tokens is not None
    async with running(application):
        yield Asker(application, tokens.admin)
