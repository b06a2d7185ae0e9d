"""The files of a page: its own, and those in `static/shared/`, which the pages of all servers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

SHARED = Path(__file__).parent / "static"
"""The folder with `shared/`: toasts, and the style that all pages have in common."""


def page_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file in `folder` and each shared one, with its URL path: `/static/shared/toast.js`."""
    for root in (folder, SHARED):
        for path in sorted(root.rglob("*")):
            if path.is_file():
                yield f"/static/{path.relative_to(root).as_posix()}", path
