"""The commands that keep people out of a running canvas."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from canvas.cli.terminal import Data, ask_api, fail, read_settings, read_span
from supervision.console.terminal.text import clean

Whom = Annotated[
    str,
    typer.Argument(
        help="A user: the id, the first 6 characters of it or more, or the name of somebody who is here; "
        "an address, or a network like 192.0.2.0/24."
    ),
]


def ban(
    whom: Whom,
    reason: Annotated[str, typer.Option(help="Why; they are told.")] = "",
    span: Annotated[str | None, typer.Option("--for", metavar="SPAN", help="For how long, like 30m or 1d12h.")] = None,
    with_address: Annotated[
        bool, typer.Option("--with-address", help="Keep out the addresses of a user as well.")
    ] = False,
    data: Data = None,
) -> None:
    """Keep a user or an address out of a running canvas, and close their connections."""
    query = {"whom": whom, "reason": reason, "with_address": str(int(with_address))}
    if span is not None:
        seconds = read_span(span)
        if seconds is None:
            fail(f"--for must be a span like 30m or 1d12h, got {span!r}")
        query["seconds"] = str(seconds)
    typer.echo(_told(_ask(data, "POST", query)))


def unban(whom: Whom, data: Data = None) -> None:
    """Let a user or an address in again."""
    typer.echo(_told(_ask(data, "DELETE", {"whom": whom})))


def bans(data: Data = None) -> None:
    """Print who is kept out."""
    for each in _ask(data, "GET", {}):
        typer.echo(_describe(each))


def _ask(data: Path | None, method: str, query: dict[str, str]) -> Any:
    return ask_api(read_settings({"data": data}).data, method, "bans", query)


def _told(answer: dict[str, Any]) -> str:
    return clean(answer["told"]["text"])


def _describe(ban: dict[str, Any]) -> str:
    until = "for good" if ban["until"] is None else f"until {datetime.fromtimestamp(ban['until']):%Y-%m-%d %H:%M:%S}"
    whom = " with ".join(filter(None, [clean(ban["whom"]), ", ".join(ban["addresses"])]))
    return f"{whom} is banned {until}" + (f": {clean(ban['reason'])}" if ban["reason"] else "")
