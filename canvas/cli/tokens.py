"""Commands that issue and revoke console tokens, and rotate the keys that sign identities."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from canvas.cli.terminal import Data, ask_api, fail, read_settings, read_span
from supervision.console import Access
from supervision.console.terminal.text import clean
from supervision.secret_file import UnsafeFile, tighten

tokens = typer.Typer(name="token", help="Add, list and revoke console tokens.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the holder, as the audit log records it.")]
Role = Annotated[
    Literal["look", "moderate", "administer"], typer.Option(help="What the holder may do.", show_default=True)
]


@tokens.command()
def add(
    name: Name,
    role: Role = "look",
    span: Annotated[
        str | None,
        typer.Option("--for", metavar="SPAN", help="How long the token is valid, like 30d. (default: no expiry)"),
    ] = None,
    data: Data = None,
) -> None:
    """Add a token and print it. It takes effect at once; only its hash is stored, so it cannot be shown again."""
    from supervision.console.api.tokens import add_token

    seconds = None if span is None else read_span(span)
    if span is not None and not seconds:
        fail(f"--for must be a span like 30d or 12h, got {span!r}")
    folder = _folder(data)
    with _explained():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tighten(folder)
        secret = add_token(folder, name, Access(role), time.time(), seconds)
    typer.echo(secret)


@tokens.command("list")
def list_(data: Data = None) -> None:
    """List the tokens by name, role and expiry. The tokens themselves are not stored."""
    from supervision.console.api.tokens import list_tokens

    with _explained():
        found = list_tokens(_folder(data))
    for each in found:
        until = "for good" if each.expires is None else f"until {datetime.fromtimestamp(each.expires):%Y-%m-%d %H:%M}"
        expired = " (expired)" if each.expires is not None and each.expires <= time.time() else ""
        typer.echo(f"{clean(each.name)}  {each.access.value}  {until}{expired}")


@tokens.command()
def revoke(name: Name, data: Data = None) -> None:
    """Revoke a token and end its sessions and connections. No restart is needed."""
    from supervision.console.api.tokens import revoke_token

    with _explained():
        revoke_token(_folder(data), name)
    typer.echo(f"{clean(name)} is revoked")


@tokens.command()
def link(role: Role = "administer", data: Data = None) -> None:
    """Print a link that logs a browser in to the web console. It works once, within ten minutes."""
    made = ask_api(_folder(data), "POST", "links", body={"role": role})
    typer.echo(clean(made["url"]))


def rotate_identity(
    keep: Annotated[
        int, typer.Option(help="Number of earlier keys that stay valid; 0 makes every user new.", min=0)
    ] = 1,
    data: Data = None,
) -> None:
    """Create a new key to sign user identities with. It takes effect at the next start."""
    from canvas.users.identity import rotate_keys

    folder = _folder(data)
    with _explained():
        count = rotate_keys(folder, keep)
    typer.echo(f"from the next start on, a new key signs; keys that verify: {count}")


def _folder(data: Path | None) -> Path:
    return read_settings({"data": data}).data


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    from supervision.console.api.tokens import BadToken

    try:
        yield
    except BadToken as error:
        fail(str(error))
    except UnsafeFile as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename} cannot be used: {error.strerror}")
