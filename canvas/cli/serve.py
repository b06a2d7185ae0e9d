"""Run one instance, from its configuration to the signal that stops it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator

import typer
import uvloop

from actors import ExitReason, Scheduler, StartError, is_clean
from actors.guard import attempt
from actors.log import get_logger
from canvas.application import CanvasApplication
from canvas.cli.heap import give_memory_back
from canvas.cli.terminal import explain_folder, fail
from canvas.config import Config
from canvas.listeners import ListenerError, raise_open_file_limit
from canvas.live.clock import WallClock
from canvas.store import UnusableStore
from canvas.users.bans import BadBans
from supervision import ApplicationFailed, configure_logging
from supervision.console import Console
from supervision.console.api.principals import CODE_LIFE
from supervision.console.api.tokens import BadToken
from supervision.signals import Signals

log = get_logger("canopy")


def serve(config: Config) -> None:
    """Run the canvas until SIGINT or SIGTERM; exit with one line on an error. SIGHUP reloads the certificates."""
    with _ignored_hangups():
        _serve(config)


@contextlib.contextmanager
def _ignored_hangups() -> Iterator[None]:
    """Ignore SIGHUP during startup and shutdown, when nothing can be reloaded."""
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, earlier)


def _serve(config: Config) -> None:
    threshold = configure_logging(config.log_level, config.log_format)
    give_memory_back()
    raise_open_file_limit(config.max_connections)
    try:
        application = CanvasApplication(config, wall_clock=WallClock(), set_log_level=threshold.set)
    except ListenerError as error:
        fail(str(error))
    except OSError as error:
        fail(explain_folder(config.data, error))
    except (UnusableStore, BadBans, BadToken) as error:
        fail(str(error))
    try:
        reason = uvloop.run(_run(application))
    except StartError as error:
        fail(f"the application did not start: {error}", code=1)
    except ApplicationFailed as error:
        fail(str(error), code=1)
    finally:
        application.close()
    if not is_clean(reason):
        fail(f"the application ended: {reason}", code=1)


async def _run(application: CanvasApplication) -> ExitReason:
    with Signals(lambda _: _reload(application), (signal.SIGHUP,)):
        return await _run_until_signal(application)


def _reload(application: CanvasApplication) -> None:
    """Reload the certificates. The audit log needs no reload: it is reopened for each line, so it may be rotated."""
    try:
        application.reload_certificates()
    except ListenerError as error:
        log.error("canopy.not_reloaded", error=str(error))
    else:
        log.info("canopy.reloaded")


async def _run_until_signal(application: CanvasApplication) -> ExitReason:
    # Freeze the modules: each full collection would stop the world for 40 ms to traverse them. Freeze before the tree
    # starts: frozen objects are never collected, and a crashed process is part of reference cycles.
    gc.collect()
    gc.freeze()
    if application.config.show_values:
        Scheduler.current().shows_values = True
        log.warning("canopy.shows_values")
    await application.start()
    ended = asyncio.ensure_future(application.run_until_signal())
    await asyncio.sleep(0)  # let it install its signal handlers: from here on, a signal stops the tree in order
    config = application.config
    host = f"[{config.host}]" if ":" in config.host else config.host
    scheme = "http" if config.tls_cert is None else "https"
    url = f"{scheme}://{host}:{application.sockets.port}"
    if application.sockets.port == 0:
        url = f"unix:{application.sockets.listening[0].getsockname()}"
    log.info("canopy.ready", url=url, pid=os.getpid())
    _announce(application.console, config)
    return await ended


def _announce(console: Console, config: Config) -> None:
    """Print where the console is. Print a login link only to a terminal: other people may read a log."""
    if console.url is None:
        return
    if config.log_format == "json":
        log.info("canopy.console", url=console.url)
        return
    if attempt(sys.stderr.isatty, default=False):
        text = f"{console.link()} (logs in once, within {CODE_LIFE / 60:.0f} minutes)"
    else:
        text = f"{console.url} (`canopy token link --data {config.data}` prints a link that logs in)"
    with contextlib.suppress(OSError):  # stderr may be a file on a full disk
        typer.echo(f"console: {text}", err=True)
