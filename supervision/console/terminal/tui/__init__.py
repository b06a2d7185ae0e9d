"""The console in a terminal. Imported by its command alone: textual takes longer to import than a canopy to start."""

from supervision.console.terminal.tui.app import ConsoleApp

__all__ = ["ConsoleApp"]
