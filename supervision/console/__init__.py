"""The console: what runs, as plain data, and what can be done about it. One API under every face."""

from supervision.console.model import PageContent, PageTable
from supervision.console.routing import Asked, Parameter, Route
from supervision.console.sessions import Access
from supervision.console.sources import Page, Sources
from supervision.console.tree import Console, Door

__all__ = [
    "Access",
    "Asked",
    "Console",
    "Door",
    "Page",
    "PageContent",
    "PageTable",
    "Parameter",
    "Route",
    "Sources",
]
