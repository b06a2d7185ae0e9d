"""Runs one instance, from its configuration to the signal that stops it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os

import typer
import uvloop

from actors import ExitReason, StartError, is_clean
from actors.log import get_logger
from canvas.application import CanvasApplication
from canvas.bans import BadBans
from canvas.config import Config
from canvas.doors import DoorError, make_room
from canvas.store import UnusableStore
from canvas.terminal import explain_folder, fail
from supervision import ApplicationFailed, configure_logging


def serve(config: Config) -> None:
    """Run the canvas until SIGINT or SIGTERM; what is wrong ends the program."""
    threshold = configure_logging(config.log_level, config.log_format)
    make_room(config.max_connections)
    try:
        application = CanvasApplication(config, set_log_level=threshold.set)
    except DoorError as error:
        fail(str(error))
    except OSError as error:
        fail(explain_folder(config.data, error))
    except (UnusableStore, BadBans) as error:
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
    # The modules stay: going through them would stop everybody for 40 ms, again and again. The tree does not: what is
    # frozen is never collected, and a process that has crashed is in cycles.
    gc.collect()
    gc.freeze()
    await application.start()
    ended = asyncio.ensure_future(application.run_until_signal())
    await asyncio.sleep(0)  # from here on a signal is an orderly stop
    config = application.config
    host = f"[{config.host}]" if ":" in config.host else config.host
    scheme = "http" if config.tls_cert is None else "https"
    url = f"{scheme}://{host}:{application.sockets.port}"
    if application.sockets.port == 0:
        url = f"unix:{application.sockets.listening[0].getsockname()}"
    get_logger("canopy").info("canopy.ready", url=url, pid=os.getpid())
    if application.console.url is not None:
        with contextlib.suppress(OSError):  # the disk that it is written to may be full
            typer.echo(f"console: {application.console.url}", err=True)
    return await ended
