"""Commands that ban users and addresses from a running canvas."""

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
        help="A user (an id, at least the first 6 characters of one, or the name of a connected user), "
        "an address, or a network like 192.0.2.0/24."
    ),
]


def ban(
    whom: Whom,
    reason: Annotated[str, typer.Option(help="Reason, shown to the user.")] = "",
    span: Annotated[str | None, typer.Option("--for", metavar="SPAN", help="Duration, like 30m or 1d12h.")] = None,
    with_address: Annotated[bool, typer.Option("--with-address", help="Also ban the user's addresses.")] = False,
    data: Data = None,
) -> None:
    """Ban a user, an address or a network, and close their connections."""
    query = {"whom": whom, "reason": reason, "with_address": str(int(with_address))}
    if span is not None:
        seconds = read_span(span)
        if seconds is None:
            fail(f"--for must be a span like 30m or 1d12h, got {span!r}")
        query["seconds"] = str(seconds)
    typer.echo(_told(_ask(data, "POST", query)))


def unban(whom: Whom, data: Data = None) -> None:
    """Lift the ban of a user, an address or a network."""
    typer.echo(_told(_ask(data, "DELETE", {"whom": whom})))


def bans(data: Data = None) -> None:
    """List the bans."""
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
