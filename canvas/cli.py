"""The command line."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import random
import sys
from pathlib import Path
from typing import Annotated, Any, TextIO, cast
from urllib.parse import quote

import structlog
import typer
import uvloop

from actors import NORMAL, SHUTDOWN, StartError
from canvas import archive_cli
from canvas.application import CanvasApplication
from canvas.chaos import crash_at_random
from canvas.config import Config
from canvas.load import paint
from canvas.store import UnusableStore
from canvas.terminal import Data, explain_folder, fail, read_settings
from supervision.console.client import AdminError, ask_admin

app = typer.Typer(
    name="canopy",
    help="A collaborative pixel canvas on supervised actors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(archive_cli.snapshot)
app.command()(archive_cli.timelapse)
app.command()(archive_cli.export)
app.command("import")(archive_cli.import_archive)
app.command()(archive_cli.rollback)


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
    max_connections: Annotated[
        str | None, typer.Option(metavar="N", help="Connections at a time. (default 10000)")
    ] = None,
    drain_timeout: Annotated[
        str | None, typer.Option(metavar="S", help="Seconds that clients have to go at a stop. (default 10)")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error. (default info)")
    ] = None,
    compression: Annotated[
        str | None, typer.Option(metavar="on|off", help="Compress large messages (permessage-deflate). (default off)")
    ] = None,
    echo: Annotated[bool | None, typer.Option("--echo/--no-echo", help="Serve /echo as well.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with these options.")] = None,
) -> None:
    """Run the canvas until SIGINT or SIGTERM; a second signal ends it at once.

    Every option can also be set as CANOPY_... in the environment or in the file of --config.
    """
    flags = {name: value for name, value in locals().items() if name != "config"}
    settings = read_settings(flags, config)
    _configure_logging(settings.log_level)
    try:
        application = CanvasApplication(settings)
    except OSError as error:
        fail(_explain(error, settings))
    except UnusableStore as error:
        fail(str(error))
    try:
        reason = uvloop.run(_serve(application))
    except StartError as error:
        fail(f"the application did not start: {error.reason}", code=1)
    finally:
        application.close()
    if reason not in (NORMAL, SHUTDOWN):
        fail(f"the application ended: {reason}", code=1)


@app.command("tree")
def show_tree(
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print nested JSON objects.")] = False,
) -> None:
    """Print the living actors of a running instance."""
    top = _ask(data, "GET", "/api/v1/tree")
    if as_json:
        typer.echo(json.dumps(top, indent=2))
        return
    for line in _draw(top):
        typer.echo(line)


@app.command()
def crash(
    ref: Annotated[str, typer.Argument(help="Number of the actor, as `canopy tree` shows it.")],
    data: Data = None,
) -> None:
    """Make an actor of a running instance exit with the reason `crash`."""
    answer = _ask(data, "POST", f"/api/v1/actors/{quote(ref, safe='')}/crash")
    typer.echo(f"crashed {answer['label']} <{answer['crashed']}>")


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
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        fail(error.format_message())
    except typer.Abort:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


async def _serve(application: CanvasApplication) -> Any:
    await application.start()
    ended = asyncio.ensure_future(application.run_until_signal())
    await asyncio.sleep(0)  # from here on a signal is an orderly stop
    config = application.config
    host = f"[{config.host}]" if ":" in config.host else config.host
    url = f"http://{host}:{application.sockets.port}"
    structlog.get_logger("canopy").info("canopy.ready", url=url, pid=os.getpid())
    return await ended


def _ask(data: Path | None, method: str, path: str) -> Any:
    folder = read_settings({"data": data}).data
    try:
        return ask_admin(folder, method, path)
    except AdminError as error:
        fail(str(error), code=1)


def _draw(node: dict[str, Any], prefix: str = "", branch: str = "") -> list[str]:
    """The tree as lines of text."""
    facts = f"{node['kind']}, {node['state']}, {node['restarts']} restarts, {node['mailbox']} waiting"
    lines = [f"{prefix}{branch}{node['label']} <{node['ref']}>  {facts}"]
    inner = prefix + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
    children = node["children"]
    for number, below in enumerate(children, start=1):
        lines += _draw(below, inner, "└─ " if number == len(children) else "├─ ")
    return lines


def _explain(error: OSError, config: Config) -> str:
    """Why the sockets could not be opened; errors of the data folder name a file, those of the port none."""
    if error.filename is not None:
        return explain_folder(config.data, error)
    if error.errno == errno.EADDRINUSE:
        return f"--port {config.port} on {config.host} is in use by another program"
    option = f"--port {config.port}" if error.errno == errno.EACCES else f"--host {config.host}"
    return f"{option} cannot be listened on: {error.strerror}"


class _Log:
    """The standard error, but what cannot be written there harms nobody: its disk may be full."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


def _configure_logging(level: str) -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Log())),
        cache_logger_on_first_use=True,
    )

