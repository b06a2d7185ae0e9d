"""The full-screen console. Only its command imports it: importing Textual takes longer than starting a canopy."""

from supervision.console.terminal.tui.app import ConsoleApp

__all__ = ["ConsoleApp"]
