"""The command line, `canopy`. Each command is a function in one of these modules; `commands` registers them all.

`serve` starts the supervision tree. The other modules talk to a running instance through its admin socket, or read a
data folder.
"""

from canvas.cli.commands import main

__all__ = ["main"]
