"""A message that is sent again is not painted again, whatever became of the connection that it came on before."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import whereis
from actors.debug import force_exit, resume, suspend
from actors.testing import run, settle
from canvas import accepted
from canvas.accepted import Accepted
from canvas.canvas import LOAD_AGAIN
from canvas.errors import BadMessage
from canvas.rate_limit import RateLimit
from canvas.rules import Cooldown
from canvas.store import StoreError
from tests.support.failing_store import FailingStore, full_disk
from tests.support.instance import Simulation, connection_of, mended, simulation
from tests.support.scenarios import simulated
from tests.support.screen import Screen
from tests.support.virtual_network import EOF, RESET, BinaryClient, VirtualBrowser, VirtualClient

KINDS = pytest.mark.parametrize("kind", [VirtualClient, BinaryClient])
CLIENT = "client-of-a-test"
RED, GREEN = "#FF0000", "#00FF00"


class Painter:
    """Keeps to the protocol: once it has caught up, it sends again what was neither shown nor answered.

    Attributes:
        painted: the colour of each message, by its id
        refused: the codes of errors, by the id of the message
        shown: the colours of all changes that it was told of
    """

    def __init__(self, simulated: Simulation, kind: type[VirtualClient] = VirtualClient, number: int = 0) -> None:
        self.door, self.kind, self.number = simulated.door, kind, number
        self.painted: dict[int, str] = {}
        self.refused: dict[int, list[str]] = {}
        self.shown: set[str] = set()
        self.connect()

    def connect(self, screen: Screen | None = None) -> None:
        """Connect, for the first time or anew."""
        self.client = self.kind()
        self.client.screen = screen or self.client.screen
        self.is_behind = True
        self.client.on_message = self.hear
        seen = self.client.screen
        self.client.begin(self.door, f"/ws?client={CLIENT}{self.number}&epoch={seen.epoch}&seq={seen.seq}")

    def reconnect(self, how: Any = EOF) -> None:
        """Lose the connection, and come back. What is on its way on the old one is lost."""
        self.client.hang_up(how)
        self.client.on_data = lambda payload: None  # type: ignore[method-assign]
        self.connect(self.client.screen)

    def hear(self, kind: str, message: dict[str, Any]) -> None:
        screen = self.client.screen
        if kind == "welcome":
            self.is_behind = True
        elif kind == "pixel_changed":
            self.shown.add(message["color"])
        elif kind == "error" and "id" in message:
            self.refused.setdefault(message["id"], []).append(message["code"])
        if self.is_behind and screen.states + screen.resumes and screen.seq >= screen.head:
            self.is_behind = False
            for id_ in self.open():
                screen.repeats.add(id_)
                self.send(id_)

    def open(self) -> list[int]:
        """Messages that are neither shown nor answered."""
        acks = self.client.screen.acks
        return [id_ for id_, color in self.painted.items() if color not in self.shown and id_ not in acks]

    def paint(self) -> int:
        """Paint a pixel in a colour of its own."""
        id_ = len(self.painted)
        self.painted[id_] = f"#{self.number:02X}{id_ + 1:04X}"
        if not self.is_behind:
            self.send(id_)
        return id_

    def send(self, id_: int) -> None:
        self.client.paint(id_ % 32, id_ // 32 % 16, self.painted[id_], id_)

    async def settled(self) -> None:
        """Wait until everything is shown or answered."""
        await self.client.until(lambda: not self.is_behind and not self.open(), "for all answers")


class Observer(VirtualClient):
    """Sees every change, once.

    Attributes:
        colors: of the changes, oldest first
    """

    def __init__(self) -> None:
        super().__init__()
        self.colors: list[str] = []
        self.on_message = self.hear

    def hear(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "pixel_changed":
            self.colors.append(message["color"])

    @classmethod
    async def watch(cls, canvas: Simulation) -> "Observer":
        """Begin to watch; a crash does not make it start over."""
        return await cls.open(canvas.door, "/ws?epoch=none&seq=0")


@KINDS
@pytest.mark.parametrize("how", [EOF, RESET])
@simulated
async def test_message_that_waits_for_a_slow_disk_is_painted_once(
    tmp_path: Path, kind: type[VirtualClient], how: Any
) -> None:
    async with simulation(tmp_path) as canvas:
        ann, others = Painter(canvas, kind), await Observer.watch(canvas)
        await ann.settled()
        suspend("store")
        for _ in range(3):  # the first one is with the store, the others wait for their turn
            ann.paint()
            await settle(1.0)
        ann.reconnect(how)
        await settle(30.0)
        ann.reconnect(how)
        await settle(30.0)
        others.paint(0, 0, RED)
        await settle(1.0)
        resume("store")
        await ann.settled()
        assert set(ann.client.screen.acks) == {0, 1, 2}
        await others.until(lambda: others.screen.pixels.get((0, 0)) == RED)
        assert others.colors == ["#000001", "#000002", "#000003", RED]


@simulated
async def test_message_whose_answer_was_lost_is_answered_again_and_costs_nothing(tmp_path: Path) -> None:
    async with simulation(tmp_path, rate_limit=RateLimit(0.001, 2), cooldown=Cooldown(60.0, 60.0)) as canvas:
        ann = Painter(canvas)
        await ann.settled()
        ann.paint()
        await ann.settled()
        for _ in range(5):
            ann.client.screen.acks.clear()
            ann.reconnect()
            await ann.client.until(lambda: not ann.is_behind)
            ann.send(0)
            await ann.client.acknowledged(0)
        assert ann.client.screen.errors == []
        assert canvas.application.store.load().seq == 1


@simulated
async def test_what_was_refused_of_a_message_is_refused_again(tmp_path: Path) -> None:
    async with simulation(tmp_path, rate_limit=RateLimit(0.001, 2)) as canvas:
        ann = await BinaryClient.open(canvas.door, f"/ws?client={CLIENT}")
        cells = b"".join(x.to_bytes(2, "little") + b"\0\0\xff\0\0" for x in range(3))
        message = b"\x04" + (7).to_bytes(4, "little") + cells
        ann.send_binary(message)
        await ann.acknowledged(7)
        bob = await BinaryClient.open(canvas.door, f"/ws?client={CLIENT}")
        for _ in range(2):
            bob.screen.acks.clear()
            bob.send_binary(message)
            await bob.acknowledged(7)
        assert [(error["code"], error["x"]) for error in ann.screen.errors + bob.screen.errors] == [
            ("rate_limited", 2),
            ("rate_limited", 2),
            ("rate_limited", 2),
        ]
        assert canvas.application.store.load().seq == 2


@simulated
async def test_what_the_store_refused_is_refused_again(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann = Painter(canvas)
        await ann.settled()
        with full_disk():
            suspend("store")
            ann.paint()
            await settle(1.0)
            ann.reconnect()
            await settle(1.0)
            resume("store")
            await ann.settled()
        assert ann.refused == {0: ["store_unavailable"]}
        ann.paint()
        await ann.settled()
        assert ann.shown == {"#000002"}


@simulated
async def test_message_that_a_crash_of_the_canvas_lost_is_painted_when_it_comes_again(tmp_path: Path) -> None:
    async with simulation(tmp_path) as canvas:
        ann, others = Painter(canvas), await Observer.watch(canvas)
        await ann.settled()
        suspend("store")
        for _ in range(3):
            ann.paint()
            await settle(1.0)
        force_exit(whereis("canvas"), "crash")
        await settle(1.0)
        resume("store")
        await mended(canvas.application)
        await ann.settled()
        await settle(1.0)
        assert sorted(others.colors) == ["#000001", "#000002", "#000003"]


@pytest.mark.parametrize("closes", [False, True], ids=["stays", "closes"])
@simulated
async def test_repeat_that_comes_while_the_canvas_cannot_be_read_is_answered_truly_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closes: bool
) -> None:
    store = FailingStore()
    monkeypatch.setattr("canvas.application.open_store", lambda config: store)
    async with simulation(tmp_path) as canvas:
        ann, others = Painter(canvas), await Observer.watch(canvas)
        await ann.settled()
        ann.paint()
        await ann.settled()
        suspend("store")
        ann.paint()  # the crash finds it on its way through the store
        await settle(1.0)
        force_exit(whereis("canvas"), "crash")
        store.error = StoreError("unable to open database file")
        resume("store")
        await mended(canvas.application)
        told = len(ann.client.screen.errors)
        ann.client.screen.acks.clear()
        for id_ in (0, 1):
            ann.client.screen.repeats.add(id_)
            ann.send(id_)
        if closes:
            ann.client.say_goodbye()
        await settle(2.5 * LOAD_AGAIN)
        assert (ann.client.screen.acks, ann.client.closed) == ({}, None)
        store.error = None
        await settle(2.5 * LOAD_AGAIN)
        assert set(ann.client.screen.acks) == {0, 1}
        assert len(ann.client.screen.errors) == told
        if closes:
            assert await ann.client.end() == (1000, "")
        await others.until(lambda: others.screen.seq == 2)
        assert others.colors == ["#000001", "#000002"]


@simulated
async def test_repeats_that_wait_for_the_canvas_to_be_read_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canvas.canvas.MAX_WAITING", 3)
    store = FailingStore()
    monkeypatch.setattr("canvas.application.open_store", lambda config: store)
    async with simulation(tmp_path) as canvas:
        ann = Painter(canvas)
        await ann.settled()
        ann.paint()
        await ann.settled()
        store.error = StoreError("unable to open database file")
        force_exit(whereis("canvas"), "crash")
        await mended(canvas.application)
        for _ in range(9):
            ann.send(0)
        await settle(0.1)
        assert canvas.application.room.held.pixels.used == 3
        ann.client.screen.acks.clear()
        store.error = None
        await settle(2.5 * LOAD_AGAIN)
        assert set(ann.client.screen.acks) == {0}
        assert canvas.application.room.held.pixels.used == 0


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("a" * 15, 400), ("a" * 16, 101), ("A-z_0123456789" * 4, 101), ("a" * 64, 101), ("a" * 65, 400),
        ("a" * 15 + "%20", 400), ("a" * 15 + "%C3%A4", 400), ("a" * 16 + "%0A", 400), ("", 101),
    ],
)  # fmt: skip
@simulated
async def test_client_may_call_itself_only_what_cannot_be_guessed(tmp_path: Path, name: str, status: int) -> None:
    async with simulation(tmp_path) as canvas:
        browser = VirtualBrowser(canvas.door)
        browser.send_text(
            f"GET /ws?client={name} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert int((await browser.answer()).split()[1]) == status
        browser.hang_up(EOF)
        await browser.end()


ACTORS = ["canvas", "broadcaster", "encoder", "store"]
STEPS = ["paint", "paint", "paint", "slow", "fast", "crash", "connection", "again", "again"]


@pytest.mark.parametrize("part", range(4))
def test_whatever_happens_each_message_is_painted_once(part: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    for seed in range(part, 160, 4):
        chance = random.Random(seed)
        folder = tmp_path_factory.mktemp("data")
        try:
            run(_random_life(folder, chance), seed=seed)
        except BaseException as problem:
            problem.add_note(f"seed {seed}")
            raise


async def _random_life(folder: Path, chance: random.Random) -> None:
    async with simulation(folder) as canvas:
        painters = [Painter(canvas, kind, number) for number, kind in enumerate([VirtualClient, BinaryClient])]
        others = await Observer.watch(canvas)
        for painter in painters:
            await painter.settled()
        for step in chance.choices(STEPS, k=14):
            painter = chance.choice(painters)
            if step == "paint":
                for _ in range(chance.randrange(1, 6)):
                    painter.paint()
            elif step == "slow":
                if (store := whereis("store")) is not None:
                    suspend(store)
            elif step == "fast":
                _go_on()
            elif step == "crash":
                if (victim := whereis(chance.choice(ACTORS))) is not None:
                    force_exit(victim, "crash")
            elif step == "connection" and painter.client.screen.user_id:
                if canvas.application.room.users.whereis(painter.client.screen.user_id) is not None:
                    force_exit(connection_of(canvas.application, painter.client.screen.user_id), "crash")
            elif step == "again":
                painter.reconnect(chance.choice([EOF, RESET]))
            await settle(chance.choice([0.0, 0.001, 1.0, 3.0]))
        _go_on()
        await mended(canvas.application)
        for painter in painters:
            await painter.settled()
        await settle(1.0)
        kept = [color for painter in painters for id_, color in painter.painted.items() if id_ not in painter.refused]
        assert sorted(others.colors) == sorted(kept)


def _go_on() -> None:
    if (store := whereis("store")) is not None:
        resume(store)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=40))
def test_ids_are_known_once_they_were_accepted(messages: list[tuple[str, int]]) -> None:
    memory, model = Accepted(), set()
    for message in messages:
        assert (message in memory) == (message in model)
        if message not in memory:
            memory.add(message)
            model.add(message)
            assert message in memory
            memory.settle(message)
    assert all(message in memory for message in model)
    assert None not in memory
    memory.begin("another", 0)
    assert not any(message in memory for message in model)


def test_canvas_that_begins_again_forgets_what_was_lost_and_nothing_else() -> None:
    memory = Accepted()
    memory.begin("epoch", 3)
    for id_, seq in enumerate([None, 4, 5, 6, 7]):
        memory.add(("ann", id_))
        if seq is not None:
            memory.send(("ann", id_), seq)
    memory.settle(("ann", 4))
    for id_ in range(5):
        memory.refuse(("ann", id_), BadMessage("cooldown", "wait"))
    memory.begin("epoch", 5)
    assert [id_ for id_ in range(5) if memory.refusals(("ann", id_))] == [1, 2, 4]
    assert [id_ for id_ in range(5) if ("ann", id_) in memory] == [1, 2, 4]
    memory.begin("epoch", 9)  # what was lost stays so
    assert [id_ for id_ in range(5) if ("ann", id_) in memory] == [1, 2, 4]


def remember(memory: Accepted, client: str, id_: int) -> None:
    memory.add((client, id_))
    memory.settle((client, id_))


def test_what_is_remembered_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MAX_CLIENTS": 3, "MAX_RUNS": 4, "MAX_REFUSALS": 2}.items():
        monkeypatch.setattr(accepted, name, value)
    memory = Accepted()
    for id_ in range(0, 20, 2):
        remember(memory, "a", id_)
    assert [id_ for id_ in range(20) if ("a", id_) in memory] == [12, 14, 16, 18]
    for client in "bcad":  # a painted more lately than b
        remember(memory, client, 100)
    assert [client for client in "abcd" if (client, 100) in memory] == ["a", "c", "d"]
    for id_ in range(3):
        memory.refuse(("a", id_), BadMessage("cooldown", "wait"))
    assert [len(memory.refusals(("a", id_))) for id_ in range(3)] == [0, 1, 1]
