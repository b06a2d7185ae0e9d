"""Chromium for the tests of the page and of its WebSocket."""

import shutil
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> dict[str, Any]:
    """How to launch Chromium, for playwright."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium: `apt-get install chromium` (or any package of it on the PATH) to run this")
    return {"executable_path": path, "args": FLAGS, "headless": True}
