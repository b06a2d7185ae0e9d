"""What the commands share: the data folder, the running instance, one line for what is wrong, progress, and moments."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import urlencode

import typer
from rich.console import Console
from rich.progress import Progress

from actors.log import stderr
from canvas.config import Config, ConfigError, read_config, read_toml
from canvas.store import DATABASE, Reader, SqliteReader, StoreError, UnusableStore
from supervision.console.terminal.client import AdminError, ask_admin
from supervision.console.terminal.text import clean
from supervision.secret_file import UnsafeFile

Data = Annotated[
    Path | None, typer.Option(help="Folder of the instance: its store and its admin socket. (default canopy-data)")
]
Moment = Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601, or before now like -10m or -1d12h.")]

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPAN = re.compile(r"(?:\d+[dhms])+")


def fail(text: str, code: int = 2) -> NoReturn:
    """End the program with one line."""
    typer.echo(f"canopy: {clean(text)}", err=True)
    sys.exit(code)


@contextlib.contextmanager
def unblocked_stderr() -> Iterator[None]:
    """Have all that is written to stderr wait in the log's queue, also what asyncio and Python have to say."""
    if sys.stderr is None:  # the process was started without one
        yield
        return
    with contextlib.redirect_stderr(stderr(sys.stderr)):
        yield


def read_settings(flags: dict[str, Any], config: Path | None = None) -> Config:
    """The configuration; a bad one ends the program."""
    try:
        return read_config(flags, os.environ, None if config is None else read_toml(config))
    except ConfigError as error:
        fail(str(error))


def ask_api(
    folder: Path,
    method: str,
    path: str,
    query: dict[str, Any] | None = None,
    *,
    body: Any = None,
    timeout: float = 10.0,
) -> Any:
    """Ask the API of the instance whose data folder this is; a refusal ends the program."""
    url = f"/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")
    try:
        return ask_admin(folder, method, url, body, timeout=timeout)
    except AdminError as error:
        fail(str(error), code=1)


@contextlib.contextmanager
def reading(data: Path | None) -> Iterator[Reader]:
    """The history of the canvas in a data folder, whether it is running or not; without one the program ends."""
    path = read_settings({"data": data}).data / DATABASE
    if not path.exists():
        fail(f"--data {path.parent} has no canvas: there is no {path.name}")
    try:
        with contextlib.closing(SqliteReader(path)) as reader:
            yield reader
    except UnusableStore as error:
        fail(str(error))
    except StoreError as error:
        fail(f"{path} cannot be read: {error}", code=1)


def moment(option: str, text: str | None) -> float | None:
    """Seconds since 1970; a text that means no time ends the program. Without a zone it is the local time."""
    try:
        return None if text is None else read_moment(text, time.time())
    except ValueError:
        fail(f"{option} must be a time like 2026-01-31T12:00:00Z or -10m, got {text!r}")


def read_moment(text: str, now: float) -> float:
    """Read `2026-01-31T12:00:00Z`, `2026-01-31`, `-1h30m` or `now`.

    Raises:
        ValueError: for anything else.
    """
    if text == "now":
        return now
    ago = read_span(text.removeprefix("-")) if text.startswith("-") else None
    if ago is not None:
        return now - ago
    try:
        return datetime.fromisoformat(text).timestamp()
    except OverflowError:
        raise ValueError(text) from None


def read_span(text: str) -> int | None:
    """Read `90s`, `30m` or `1d12h` as seconds; None if it is none."""
    if not _SPAN.fullmatch(text):
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", text))


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar on the terminal, none where nobody looks; the function moves it on."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda steps: None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextlib.contextmanager
def working_on(path: Path, what: str) -> Iterator[None]:
    """A file that cannot be `what` ("read", "written") ends the program."""
    try:
        yield
    except OSError as error:
        fail(f"{error.filename or path} cannot be {what}: {error.strerror or error}")


def explain_folder(folder: Path, error: OSError) -> str:
    """Why a data folder cannot be used."""
    if isinstance(error, UnsafeFile):
        return f"--data {folder}: {error}"
    is_taken = error.errno == errno.EADDRINUSE
    reason = "is in use by another canopy" if is_taken else f"cannot be used: {error.strerror}"
    return f"--data {folder} {reason}"
