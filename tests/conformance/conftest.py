"""One server for all cases: `canopy run --echo`, in a process of its own."""

from collections.abc import Iterator

import pytest

from tests.support.served import served


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the server that is judged."""
    with served(tmp_path_factory.mktemp("canopy") / "data", "--compression", "on") as server:
        yield server.port
    assert not [line for line in server.log if "[error" in line or "[warning" in line]


@pytest.fixture(params=["whole", "byte by byte"])
def bytewise(request: pytest.FixtureRequest) -> bool:
    """Whether the client sends byte by byte: no rule depends on how TCP cuts the stream."""
    return bool(request.param == "byte by byte")
