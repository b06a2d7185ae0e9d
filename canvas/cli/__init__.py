"""The command line: `canopy`. A command is a function of one of these modules, which `commands` puts together.

`serve` starts the supervision tree; the others talk to a running instance through its admin socket, or read a data
folder.
"""

from canvas.cli.commands import main

__all__ = ["main"]
