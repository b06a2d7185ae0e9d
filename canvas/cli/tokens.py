"""The commands that hand out what opens the console, and take it back."""

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

tokens = typer.Typer(name="token", help="Tokens of the console: add, list and revoke them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Who or what holds it: the audit log has this name.")]
Role = Annotated[
    Literal["look", "moderate", "administer"], typer.Option(help="What the holder may do.", show_default=True)
]


@tokens.command()
def add(
    name: Name,
    role: Role = "look",
    span: Annotated[str | None, typer.Option("--for", metavar="SPAN", help="How long it is good, like 30d.")] = None,
    data: Data = None,
) -> None:
    """Add a token and print it, this once: only its hash is kept. It counts at once."""
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
    """Print the tokens: name, role, and until when they are good. Nothing tells the tokens themselves."""
    from supervision.console.api.tokens import list_tokens

    with _explained():
        found = list_tokens(_folder(data))
    for each in found:
        until = "for good" if each.expires is None else f"until {datetime.fromtimestamp(each.expires):%Y-%m-%d %H:%M}"
        over = " (expired)" if each.expires is not None and each.expires <= time.time() else ""
        typer.echo(f"{clean(each.name)}  {each.access.value}  {until}{over}")


@tokens.command()
def revoke(name: Name, data: Data = None) -> None:
    """Revoke a token; its sessions and connections end as well, without a restart."""
    from supervision.console.api.tokens import revoke_token

    with _explained():
        revoke_token(_folder(data), name)
    typer.echo(f"{clean(name)} opens nothing any more")


@tokens.command()
def link(role: Role = "administer", data: Data = None) -> None:
    """Print a link that logs a browser in to the web console of a running instance, once and within ten minutes."""
    made = ask_api(_folder(data), "POST", "links", body={"role": role})
    typer.echo(clean(made["url"]))


def rotate_identity(
    keep: Annotated[
        int, typer.Option(help="Of the earlier keys, how many still verify. 0: everybody is new.", min=0)
    ] = 1,
    data: Data = None,
) -> None:
    """Sign who visitors are with a new key, from the next start on."""
    from canvas.users.identity import rotate_keys

    folder = _folder(data)
    with _explained():
        count = rotate_keys(folder, keep)
    typer.echo(f"the next start signs with a new key, and verifies with {count}")


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
