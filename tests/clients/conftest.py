"""One server with compression for all clients: `canopy run --echo`, in a process of its own."""

from collections.abc import Iterator

import pytest

from tests.support.chromium import chromium
from tests.support.served import Served, served

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server."""
    with served(tmp_path_factory.mktemp("canopy") / "data", "--compression", "on") as server:
        yield server
    assert not [line for line in server.log if "[error" in line or "[warning" in line]
