"""A canvas with a console on a free port, and somebody who asks it."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from actors import call
from canvas.application import CanvasApplication
from supervision.console.api.audit import BEGUN, AuditLine
from supervision.console.api.principals import Access
from supervision.console.api.tokens import add_token
from tests.support.instance import new_application, running
from tests.support.raw_socket import Answer, RawSocket

SETTLED = "settled"
"""The action of a line that a test has written."""


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
        return Asker(self.application, plain_token(self.application.config.data, "console-token-read"))

    def holder(self, name: str, role: Access) -> "Asker":
        """The same with a new token of this role."""
        return Asker(self.application, add_token(self.application.config.data, name, role, time.time(), None))

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
    async with running(application):
        yield Asker(application, plain_token(data, "console-token"))


def plain_token(data: Path, name: str) -> str:
    """The token in a file of the data folder."""
    return (data / name).read_text().strip()


def read_audit(data: Path) -> list[dict[str, str]]:
    """The lines of an audit log that nobody writes any more."""
    lines = [orjson.loads(line) for line in (data / "audit.log").read_bytes().splitlines()]
    return [line for line in lines if line["action"] != SETTLED]


async def audit(application: CanvasApplication) -> list[dict[str, str]]:
    """The lines of the audit log, with those that nobody has waited for."""
    writer = application.console._audit.writer
    assert writer is not None
    assert await call(writer, AuditLine(0.0, "a test", SETTLED, "", "")) is None
    return read_audit(application.config.data)


async def outcomes(application: CanvasApplication) -> list[dict[str, str]]:
    """Those that say what came of an attempt, without the logins."""
    return [line for line in await audit(application) if line["result"] != BEGUN and line["action"] != "login"]


def cookie_of(answer: Answer) -> str:
    """The cookie that an answer sets."""
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert cookie.partition("=")[2]
    return cookie


async def log_in(asker: Asker, token: str, **headers: str | None) -> Answer:
    """Send the form of the login page."""
    return await asker.anonymous().send("POST", "/login", urlencode({"token": token}).encode(), **headers)


async def logged_in(asker: Asker) -> str:
    """The cookie of a new session."""
    answer = await log_in(asker, asker.token or "")
    assert answer.status == 303
    return cookie_of(answer)
