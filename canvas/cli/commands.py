"""The command line."""

from __future__ import annotations

import random
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from canvas.cli import console, history, moderation, tokens
from canvas.cli.chaos import crash_at_random
from canvas.cli.load import paint
from canvas.cli.terminal import Data, fail, read_settings, unblocked_stderr
from supervision.console.terminal.client import AdminError

app = typer.Typer(
    name="canopy",
    help="A collaborative pixel canvas on supervised actors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(history.snapshot)
app.command()(history.timelapse)
app.command()(history.export)
app.command("import")(history.import_)
app.command()(history.rollback)
app.command()(moderation.ban)
app.command()(moderation.unban)
app.command()(moderation.bans)
console.register(app)
app.add_typer(tokens.tokens)
app.command()(tokens.rotate_identity)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"canopy {version('canopy')}")
        raise typer.Exit


@app.callback()
def canopy(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Look at options that come before the command."""


@app.command()
def run(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on. (default 127.0.0.1)")
    ] = None,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="Port to listen on, 0 for any. (default 8000)")
    ] = None,
    data: Data = None,
    width: Annotated[str | None, typer.Option(metavar="N", help="Pixels in a row. (default 1000)")] = None,
    height: Annotated[str | None, typer.Option(metavar="N", help="Rows. (default 1000)")] = None,
    background: Annotated[
        str | None, typer.Option(metavar="#RRGGBB", help="Colour of an unpainted pixel. (default #FFFFFF)")
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where the canvas is kept: sqlite or memory. (default sqlite)")
    ] = None,
    durability: Annotated[
        str | None,
        typer.Option(metavar="full|none", help="What a commit survives: a power cut, or nothing. (default full)"),
    ] = None,
    tick: Annotated[
        str | None, typer.Option(metavar="MS", help="Milliseconds between two batches. (default 10)")
    ] = None,
    rate_limit: Annotated[
        str | None, typer.Option(metavar="N/s|off", help="Pixels a second for each visitor. (default 100/s)")
    ] = None,
    palette: Annotated[
        str | None, typer.Option(metavar="COLOURS", help="Colours that may be used, #RRGGBB,... (default all)")
    ] = None,
    cooldown: Annotated[
        str | None, typer.Option(metavar="S|S-S|off", help="Seconds between two pixels of one user. (default off)")
    ] = None,
    locked: Annotated[
        str | None, typer.Option(metavar="AREAS", help="X,Y,WIDTH,HEIGHT;... where nobody may paint. (default none)")
    ] = None,
    read_only: Annotated[bool | None, typer.Option("--read-only/--writable", help="Let nobody paint.")] = None,
    unix: Annotated[Path | None, typer.Option(help="Listen on a unix socket, in place of host and port.")] = None,
    unix_mode: Annotated[
        str | None, typer.Option(metavar="MODE", help="Who may use the unix socket, like 0660. (default 0600)")
    ] = None,
    base_path: Annotated[
        str | None, typer.Option(metavar="PATH", help="Path that a proxy serves it under, like /canvas. (default /)")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Speak TLS, with this certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, if the file of --tls-cert has none.")] = None,
    trusted_proxy: Annotated[
        str | None, typer.Option(metavar="NETWORKS", help="Proxies to believe X-Forwarded-For of. (default none)")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(metavar="ORIGINS", help="Pages that may open a WebSocket. (default same)")
    ] = None,
    max_connections: Annotated[
        str | None, typer.Option(metavar="N", help="Connections at a time. (default 15000)")
    ] = None,
    max_connections_per_ip: Annotated[
        str | None, typer.Option(metavar="N|off", help="WebSockets of one address at a time. (default off)")
    ] = None,
    max_new_connections_per_ip: Annotated[
        str | None, typer.Option(metavar="N|off", help="New WebSockets of one address in a second. (default off)")
    ] = None,
    max_message_size: Annotated[
        str | None, typer.Option(metavar="BYTES", help="Longest message of a client. (default 65536)")
    ] = None,
    request_timeout: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds a client has for a whole request. (default 10)")
    ] = None,
    ping_interval: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds between two pings of a client, 0 for none. (default 20)")
    ] = None,
    pong_timeout: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds a client has to answer a ping. (default 20)")
    ] = None,
    stall_timeout: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds until one that reads nothing is cut off. (default 30)")
    ] = None,
    drain_timeout: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds that clients have to go at a stop. (default 10)")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error. (default info)")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="NAME", help="Lines of the log: console or json. (default console)")
    ] = None,
    show_values: Annotated[
        bool | None,
        typer.Option("--show-values/--hide-values", help="Show all contents in crashes and traces: for development."),
    ] = None,
    compression: Annotated[
        str | None, typer.Option(metavar="on|off", help="Compress large messages (permessage-deflate). (default on)")
    ] = None,
    echo: Annotated[bool | None, typer.Option("--echo/--no-echo", help="Serve /echo as well.")] = None,
    console_host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address of the console. (default 127.0.0.1)")
    ] = None,
    console_port: Annotated[
        str | None,
        typer.Option(metavar="PORT|auto|off", help="Port of the console. (default auto: 8001, or another if taken)"),
    ] = None,
    console_base_path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Path that a proxy serves the console under. (default /)"),
    ] = None,
    console_names: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Host names of the console beside localhost. (default none)")
    ] = None,
    console_origin: Annotated[
        str | None,
        typer.Option(metavar="ORIGINS", help="Where a proxy shows the console, https://HOST,... (default none)"),
    ] = None,
    console_user_header: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Header in which a --trusted-proxy says who has logged in. (default none)"),
    ] = None,
    console_users: Annotated[
        str | None, typer.Option(metavar="USER=ROLE,...", help="Roles of those users, * for others. (default none)")
    ] = None,
    console_insecure: Annotated[
        bool | None, typer.Option("--console-insecure", help="Let others than this machine reach it without TLS.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with these options.")] = None,
) -> None:
    """Run the canvas until SIGINT or SIGTERM; a second signal ends it at once. SIGHUP reloads the certificates.

    Every option can also be set as CANOPY_... in the environment or in the file of --config.
    """
    flags = {name: value for name, value in locals().items() if name != "config"}
    settings = read_settings(flags, config)
    from canvas.cli.serve import serve  # here, since the commands that only look start a third sooner without it

    serve(settings)


@app.command()
def load(
    url: Annotated[str, typer.Argument(help="Where the canvas is.")] = "ws://127.0.0.1:8000/ws",
    clients: Annotated[int, typer.Option(help="How many paint.", min=1)] = 20,
    seconds: Annotated[float, typer.Option(help="For how long.", min=0.1)] = 60.0,
    rate: Annotated[float, typer.Option(help="Pixels a second that each of them paints.", min=0.1)] = 10.0,
) -> None:
    """Paint on a running canvas, and count what goes wrong; ends with 1 if anything does."""
    try:
        report = uvloop.run(paint(url, clients, seconds, rate))
    except (OSError, TimeoutError) as error:
        fail(f"{url} does not answer: {error}", code=1)
    for line in report.lines():
        typer.echo(line)
    sys.exit(not report.is_good)


@app.command()
def chaos(
    data: Data = None,
    rate: Annotated[float, typer.Option(help="Crashes a second.", min=0.01)] = 5.0,
    seconds: Annotated[float, typer.Option(help="For how long.", min=0.1)] = 60.0,
    seed: Annotated[int | None, typer.Option(help="Draws the victims; another one each time by default.")] = None,
) -> None:
    """Crash random actors of a running instance."""
    try:
        report = crash_at_random(read_settings({"data": data}).data, rate, seconds, random.Random(seed))
    except AdminError as error:
        fail(str(error), code=1)
    for line in report.lines():
        typer.echo(line)


def main() -> None:
    """Run the command line; a bad one ends with 2 and one line."""
    with unblocked_stderr():
        try:
            code = app(standalone_mode=False)
        except typer.TyperException as error:
            fail(" ".join(error.format_message().split()))
        except typer.Abort:
            sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
