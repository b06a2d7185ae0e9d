"""Shared by the commands: the data folder, the admin API, one-line errors, a progress bar, and parsing of times."""

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

Data = Annotated[Path | None, typer.Option(help="Data folder of the instance. (default canopy-data)")]
Moment = Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601, or relative to now, like -10m or -1d12h.")]

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPAN = re.compile(r"(?:\d+[dhms])+")


def fail(text: str, code: int = 2) -> NoReturn:
    """Print one line to stderr and exit with `code`."""
    typer.echo(f"canopy: {clean(text)}", err=True)
    sys.exit(code)


@contextlib.contextmanager
def unblocked_stderr() -> Iterator[None]:
    """Route everything written to stderr through the log's queue, including output from asyncio and Python itself."""
    if sys.stderr is None:  # the process was started with stderr closed
        yield
        return
    with contextlib.redirect_stderr(stderr(sys.stderr)):
        yield


def read_settings(flags: dict[str, Any], config: Path | None = None) -> Config:
    """Read the configuration; exit if it is invalid."""
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
    """Call the admin API of the instance that runs in `folder`; exit if it refuses or does not answer."""
    url = f"/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")
    try:
        return ask_admin(folder, method, url, body, timeout=timeout)
    except AdminError as error:
        fail(str(error), code=1)


@contextlib.contextmanager
def reading(data: Path | None) -> Iterator[Reader]:
    """Open the canvas in a data folder for reading, whether or not an instance runs; exit if there is none."""
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
    """Read a time as seconds since 1970; exit if it is invalid. A time without a zone is local."""
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
    """Read a duration like `90s`, `30m` or `1d12h` as seconds; return None if `text` is not a duration."""
    if not _SPAN.fullmatch(text):
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", text))


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show a progress bar on stderr if it is a terminal; the yielded function advances the bar."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda steps: None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextlib.contextmanager
def working_on(path: Path, what: str) -> Iterator[None]:
    """Exit with an error if the block cannot read or write `path`; `what` is "read" or "written"."""
    try:
        yield
    except OSError as error:
        fail(f"{error.filename or path} cannot be {what}: {error.strerror or error}")


def explain_folder(folder: Path, error: OSError) -> str:
    """Explain why a data folder cannot be used."""
    if isinstance(error, UnsafeFile):
        return f"--data {folder}: {error}"
    is_taken = error.errno == errno.EADDRINUSE
    reason = "is in use by another canopy" if is_taken else f"cannot be used: {error.strerror}"
    return f"--data {folder} {reason}"
