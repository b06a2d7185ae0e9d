"""The code blocks of a page, as a reader would copy them."""

import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def blocks(page: str) -> list[str]:
    """Return the Python blocks of a page, in order; `page` is relative to the repository."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def module(page: str, name: str) -> ModuleType:
    """Import all blocks of a page as one module."""
    made = ModuleType(name)
    sys.modules[name] = made  # dataclasses look their module up
    exec(compile("\n".join(blocks(page)), page, "exec"), made.__dict__)
    return made
