"""The `canopy` program: every command, and the options of `canopy run`."""

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
    """Handle the options that precede the command."""


@app.command()
def run(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on. (default 127.0.0.1)")
    ] = None,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="Port to listen on; 0 picks a free one. (default 8000)")
    ] = None,
    data: Data = None,
    width: Annotated[str | None, typer.Option(metavar="N", help="Canvas width in pixels. (default 1000)")] = None,
    height: Annotated[str | None, typer.Option(metavar="N", help="Canvas height in pixels. (default 1000)")] = None,
    background: Annotated[
        str | None, typer.Option(metavar="#RRGGBB", help="Colour of unpainted pixels. (default #FFFFFF)")
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="NAME", help="Store of the canvas: sqlite or memory. (default sqlite)")
    ] = None,
    durability: Annotated[
        str | None,
        typer.Option(metavar="full|none", help="full: commits survive a power cut; none: they may not. (default full)"),
    ] = None,
    tick: Annotated[
        str | None, typer.Option(metavar="MS", help="Milliseconds between batches of changes. (default 10)")
    ] = None,
    rate_limit: Annotated[
        str | None, typer.Option(metavar="N/s|off", help="Pixels per second for each user. (default 100/s)")
    ] = None,
    palette: Annotated[
        str | None, typer.Option(metavar="COLOURS", help="Allowed colours, #RRGGBB,... (default all)")
    ] = None,
    cooldown: Annotated[
        str | None, typer.Option(metavar="S|S-S|off", help="Seconds a user waits between pixels. (default off)")
    ] = None,
    locked: Annotated[
        str | None, typer.Option(metavar="AREAS", help="Locked areas, X,Y,WIDTH,HEIGHT;... (default none)")
    ] = None,
    read_only: Annotated[bool | None, typer.Option("--read-only/--writable", help="Refuse all painting.")] = None,
    unix: Annotated[Path | None, typer.Option(help="Listen on a Unix socket instead of host and port.")] = None,
    unix_mode: Annotated[
        str | None, typer.Option(metavar="MODE", help="Permissions of the Unix socket, like 0660. (default 0600)")
    ] = None,
    base_path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Path under which a proxy serves the canvas, like /canvas. (default /)"),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain (PEM); enables TLS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key (PEM), if the --tls-cert file has none.")] = None,
    trusted_proxy: Annotated[
        str | None, typer.Option(metavar="NETWORKS", help="Proxies whose X-Forwarded-For is trusted. (default none)")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(metavar="ORIGINS", help="Origins that may open a WebSocket. (default same)")
    ] = None,
    max_connections: Annotated[
        str | None, typer.Option(metavar="N", help="Maximum number of open connections. (default 15000)")
    ] = None,
    max_connections_per_ip: Annotated[
        str | None, typer.Option(metavar="N|off", help="Maximum number of open WebSockets per address. (default off)")
    ] = None,
    max_new_connections_per_ip: Annotated[
        str | None,
        typer.Option(metavar="N|off", help="Maximum number of new WebSockets per address per second. (default off)"),
    ] = None,
    max_message_size: Annotated[
        str | None, typer.Option(metavar="BYTES", help="Maximum size of a client's message. (default 65536)")
    ] = None,
    request_timeout: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds a client has to send a whole request. (default 10)")
    ] = None,
    ping_interval: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds between pings to a client; 0 sends none. (default 20)")
    ] = None,
    pong_timeout: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds a client has to answer a ping. (default 20)")
    ] = None,
    stall_timeout: Annotated[
        str | None,
        typer.Option(metavar="S", help="Seconds after which a client that reads nothing is cut off. (default 30)"),
    ] = None,
    drain_timeout: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds clients have to disconnect during a shutdown. (default 10)")
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL", help="Lowest level that is logged: debug, info, warning or error. (default info)"
        ),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="NAME", help="Format of the log: console or json. (default console)")
    ] = None,
    show_values: Annotated[
        bool | None,
        typer.Option(
            "--show-values/--hide-values", help="Show all values in crash reports and traces (for development)."
        ),
    ] = None,
    compression: Annotated[
        str | None, typer.Option(metavar="on|off", help="Compress large messages (permessage-deflate). (default on)")
    ] = None,
    echo: Annotated[
        bool | None, typer.Option("--echo/--no-echo", help="Also serve an echo WebSocket at /echo.")
    ] = None,
    console_host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address the console listens on. (default 127.0.0.1)")
    ] = None,
    console_port: Annotated[
        str | None,
        typer.Option(
            metavar="PORT|auto|off", help="Port of the console. (default auto: 8001, or a free port if 8001 is taken)"
        ),
    ] = None,
    console_base_path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Path under which a proxy serves the console. (default /)"),
    ] = None,
    console_names: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Host names of the console besides localhost. (default none)")
    ] = None,
    console_origin: Annotated[
        str | None,
        typer.Option(metavar="ORIGINS", help="Public origins of a proxied console, https://HOST,... (default none)"),
    ] = None,
    console_user_header: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Header in which a --trusted-proxy names the user. (default none)"),
    ] = None,
    console_users: Annotated[
        str | None,
        typer.Option(metavar="USER=ROLE,...", help="Roles of these users; * stands for all others. (default none)"),
    ] = None,
    console_insecure: Annotated[
        bool | None, typer.Option("--console-insecure", help="Serve the console to other machines without TLS.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file that sets these options.")] = None,
) -> None:
    """Run the canvas until SIGINT or SIGTERM; a second signal ends it at once. SIGHUP reloads the certificates.

    Every option can also be set in the environment as CANOPY_..., or in the --config file.
    """
    flags = {name: value for name, value in locals().items() if name != "config"}
    settings = read_settings(flags, config)
    from canvas.cli.serve import serve  # imported late: the other commands start a third faster without it

    serve(settings)


@app.command()
def load(
    url: Annotated[str, typer.Argument(help="WebSocket URL of the canvas.")] = "ws://127.0.0.1:8000/ws",
    clients: Annotated[int, typer.Option(help="Number of clients.", min=1)] = 20,
    seconds: Annotated[float, typer.Option(help="Duration in seconds.", min=0.1)] = 60.0,
    rate: Annotated[float, typer.Option(help="Pixels per second from each client.", min=0.1)] = 10.0,
) -> None:
    """Paint on a running canvas with many clients and count failures; exit with 1 if there are any."""
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
    rate: Annotated[float, typer.Option(help="Crashes per second.", min=0.01)] = 5.0,
    seconds: Annotated[float, typer.Option(help="Duration in seconds.", min=0.1)] = 60.0,
    seed: Annotated[int | None, typer.Option(help="Seed for choosing actors; random by default.")] = None,
) -> None:
    """Crash random actors of a running instance."""
    try:
        report = crash_at_random(read_settings({"data": data}).data, rate, seconds, random.Random(seed))
    except AdminError as error:
        fail(str(error), code=1)
    for line in report.lines():
        typer.echo(line)


def main() -> None:
    """Run the command line; print one line and exit with 2 on a usage error."""
    with unblocked_stderr():
        try:
            code = app(standalone_mode=False)
        except typer.TyperException as error:
            fail(" ".join(error.format_message().split()))
        except typer.Abort:
            sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
