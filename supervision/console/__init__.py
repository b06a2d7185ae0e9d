"""The console: inspect a running system as plain data, and act on it. Its front ends share one API.

Names load lazily: CLI commands need only the client, and without the server they start in 0.4 s of processor time
instead of 0.7 s.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supervision.console.api.extensions import Extensions, Page, PageQuery
    from supervision.console.api.principals import Access
    from supervision.console.api.routing import ApiRequest, Parameter, Route
    from supervision.console.console import Console, ConsoleListener
    from supervision.console.inspection.model.forms import Act, Form, FormField
    from supervision.console.inspection.model.overview import Usage
    from supervision.console.inspection.model.pages import PageContent, PageTable, Quantity
    from supervision.console.inspection.model.results import ActionResult, ResultPicture
    from supervision.console.inspection.sources import Client, Sources
    from supervision.console.web.gate import Front

__all__ = [
    "Access",
    "Act",
    "ActionResult",
    "ApiRequest",
    "Client",
    "Console",
    "ConsoleListener",
    "Extensions",
    "Form",
    "FormField",
    "Front",
    "Page",
    "PageContent",
    "PageQuery",
    "PageTable",
    "Parameter",
    "Quantity",
    "ResultPicture",
    "Route",
    "Sources",
    "Usage",
]

_MODULES = {
    "web.gate": ("Front",),
    "inspection.model.forms": ("Act", "Form", "FormField"),
    "inspection.model.overview": ("Usage",),
    "inspection.model.pages": ("PageContent", "PageTable", "Quantity"),
    "inspection.model.results": ("ActionResult", "ResultPicture"),
    "api.routing": ("ApiRequest", "Parameter", "Route"),
    "api.principals": ("Access",),
    "api.extensions": ("Extensions", "Page", "PageQuery"),
    "inspection.sources": ("Client", "Sources"),
    "console": ("Console", "ConsoleListener"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
