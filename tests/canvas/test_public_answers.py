"""What anybody may ask for over HTTP: bad values are refused, and no answer shows what is behind it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from actors import whereis
from actors.debug import force_exit
from canvas.board.grid import Change
from canvas.store import StoreError, UnusableStore
from canvas.store.interface import NotIndexed
from tests.support.failing_store import FailingStore
from tests.support.instance import mended, simulation
from tests.support.scenarios import simulated
from tests.support.virtual_network import BinaryClient, VirtualBrowser, VirtualClient, VirtualSocket

SECRET = "/srv/canopy/canvas.db"
ERRORS = (StoreError(f"unable to open {SECRET}"), UnusableStore(f"{SECRET}: disk I/O error"), NotIndexed(SECRET))


async def get(door: VirtualSocket, target: str, method: str = "GET") -> tuple[int, bytes]:
    """Ask, and return the status and all of the answer."""
    browser = VirtualBrowser(door)
    browser.send_text(f"{method} {target} HTTP/1.1\r\nHost: canopy\r\n\r\n")
    answer = await browser.answer()
    await browser.leave()
    return int(answer.split()[1]), answer


BAD_NUMBERS = ("", "-1", "abc", "0x1", "1.5", "%D9%A3", "1000000000", "+1", "%201")
TABLE = [
    *((f"/api/pixel?x={bad}&y=1", 400) for bad in (*BAD_NUMBERS, "32")),
    *((f"/api/pixel?x=1&y={bad}", 400) for bad in (*BAD_NUMBERS, "16")),
    *((f"/api/pixel?x=1&y=1&limit={bad}", 400) for bad in (*BAD_NUMBERS, "0", "201")),
    ("/api/pixel", 400),
    ("/api/pixel?x=1", 400),
    ("/api/pixel?x=1&y=1&limit=5&limit=0", 400),
    ("/api/pixel?x=31&y=15&limit=1", 200),
    ("/api/pixel?x=0&y=0&limit=200", 200),
    *((f"/api/canvas.png?every={bad}", 400) for bad in (*BAD_NUMBERS, "0", "101")),
    ("/api/canvas.png?every=1&every=0", 400),
    ("/api/canvas.png?every=100", 200),
    *((f"/static/{bad}", 404) for bad in ("", "nothing.js", "config.py")),
    *((f"/static/{bad}", 400) for bad in ("../config.py", "%2e%2e/config.py", "..%2fconfig.py")),
    *((f"/{bad}", 404) for bad in ("nothing", "api", "api/", "healthz/", "echo")),
    ("/%00", 400),
    ("/ws", 426),
    ("/", 200),
    ("/healthz", 200),
    ("/readyz", 200),
]


@simulated
async def test_bad_values_of_every_public_address_are_refused(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        answers = {target: (await get(canvas.door, target))[0] for target, _ in TABLE}
        assert answers == dict(TABLE)
        for target in ("/", "/healthz", "/readyz", "/api/pixel?x=1&y=1", "/api/canvas.png"):
            assert (await get(canvas.door, target, "POST"))[0] == 405


class BrokenStore(FailingStore):
    """A memory store that does nothing while `error` is not None."""

    def append(self, changes: Sequence[Change], at: float) -> None:
        self.fail()
        super().append(changes, at)

    def verify(self) -> None:
        self.fail()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> BrokenStore:
    """The store of the application that the test starts."""
    store = BrokenStore()
    monkeypatch.setattr("canvas.application.open_store", lambda config: store)
    return store


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@simulated
async def test_no_answer_shows_the_files_behind_it(tmp_path: Path, store: BrokenStore, error: StoreError) -> None:
    async with simulation(tmp_path) as canvas:
        clients: list[Any] = [await VirtualClient.open(canvas.door), await BinaryClient.open(canvas.door)]
        store.error = error
        for _ in ("not committed", "not read"):
            for client in clients:
                client.paint(1, 1, "#FF0000", 7)
                refused = await client.error()
                assert refused["code"] == "store_unavailable"
                assert refused["message"] == f"the pixel could not be saved: {error.public}"
            assert SECRET.encode() not in (await get(canvas.door, "/healthz"))[1]
            status, answer = await get(canvas.door, "/api/pixel?x=1&y=1")
            assert (status, answer.endswith(f"{error.public}\n".encode())) == (503, True)
            force_exit(whereis("canvas"), "crash")  # type: ignore[arg-type]
            await mended(canvas.application)
        status, answer = await get(canvas.door, "/api/canvas.png")
        assert (status, answer.endswith(f"{error.public}\n".encode())) == (503, True)
        status, answer = await get(canvas.door, "/healthz")
        assert (status, SECRET.encode() in answer) == (503, False)
        store.error = None
