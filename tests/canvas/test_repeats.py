"""A message that is sent again is not painted again, whatever became of the connection that it came on before."""

import gc
import random
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import whereis
from actors.debug import force_exit, resume, suspend
from actors.testing import run, settle
from canvas.board.errors import BadMessage
from canvas.board.rules import Cooldown
from canvas.live import accepted
from canvas.live import canvas as canvas_module
from canvas.live.accepted import Accepted, Key
from canvas.live.canvas import LOAD_AGAIN
from canvas.messages.values import MAX_ID
from canvas.store import StoreError
from supervision.server.rate_limit import RateLimit
from tests.support.failing_store import FailingStore, full_disk
from tests.support.instance import Simulation, connection_of, mended, registered, simulation
from tests.support.scenarios import simulated
from tests.support.screen import Screen
from tests.support.virtual_network import EOF, RESET, BinaryClient, VirtualBrowser, VirtualClient

KINDS = pytest.mark.parametrize("kind", [VirtualClient, BinaryClient])
CLIENT = "client-of-a-test"
RED, GREEN = "#FF0000", "#00FF00"
THREE = pack("<BI", 4, 7) + b"".join(pack("<HHBBB", x, 0, 255, 0, 0) for x in range(3))
"""Message 7 of three pixels."""


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
        ann.send_binary(THREE)
        await ann.acknowledged(7)
        bob = await BinaryClient.open(canvas.door, f"/ws?client={CLIENT}")
        for _ in range(2):
            bob.screen.acks.clear()
            bob.send_binary(THREE)
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
        force_exit(registered("canvas"), "crash")
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
        force_exit(registered("canvas"), "crash")
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
    monkeypatch.setattr("canvas.live.canvas.MAX_WAITING", 3)
    store = FailingStore()
    monkeypatch.setattr("canvas.application.open_store", lambda config: store)
    async with simulation(tmp_path) as canvas:
        ann = Painter(canvas)
        await ann.settled()
        ann.paint()
        await ann.settled()
        store.error = StoreError("unable to open database file")
        force_exit(registered("canvas"), "crash")
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


class Brush(Painter):
    """Paints three pixels with each message, and sends a message again until it is acknowledged.

    Attributes:
        told: the pixels of errors, by the id of the message
    """

    def __init__(self, simulated: Simulation, number: int) -> None:
        self.told: set[tuple[int, int]] = set()
        super().__init__(simulated, BinaryClient, number)

    def hear(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "error":
            self.told.add((message["id"], message["x"]))
        super().hear(kind, message)

    def open(self) -> list[int]:
        return [id_ for id_ in self.painted if id_ not in self.client.screen.acks]

    def colors(self, id_: int) -> list[str]:
        """The colours of a message, one for each of its pixels, the leftmost first."""
        return [f"#{self.number:02X}{id_ * 4 + x + 1:04X}" for x in range(3)]

    def send(self, id_: int) -> None:
        assert isinstance(self.client, BinaryClient)
        cells = [(x, id_, bytes.fromhex(color[1:])) for x, color in enumerate(self.colors(id_))]
        self.client.send_binary(pack("<BI", 4, id_) + b"".join(pack("<HH", x, y) + color for x, y, color in cells))


@pytest.mark.parametrize("part", range(4))
def test_each_pixel_of_a_message_is_painted_once_or_refused_whatever_happens(
    part: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for seed in range(part, 80, 4):
        chance = random.Random(seed)
        folder = tmp_path_factory.mktemp("data")
        try:
            run(_random_strokes(folder, chance), seed=seed)
        except BaseException as problem:
            problem.add_note(f"seed {seed}")
            raise


async def _random_strokes(folder: Path, chance: random.Random) -> None:
    limits = {"cooldown": Cooldown(2.0, 2.0)} if chance.random() < 0.5 else {"rate_limit": RateLimit(0.5, 4)}
    async with simulation(folder, **limits) as canvas:
        brushes = [Brush(canvas, number) for number in range(2)]
        others = await Observer.watch(canvas)
        for brush in brushes:
            await brush.settled()
        for step in chance.choices(["paint", "paint", "slow", "fast", "canvas", "store", "again", "again"], k=14):
            brush = chance.choice(brushes)
            if step == "paint":
                brush.paint()
            elif step == "slow":
                if (store := whereis("store")) is not None:
                    suspend(store)
            elif step == "fast":
                _go_on()
            elif step == "again":
                brush.reconnect(chance.choice([EOF, RESET]))
            elif (victim := whereis(step)) is not None:
                force_exit(victim, "crash")
            await settle(chance.choice([0.0, 0.0, 0.001, 1.0]))
        _go_on()
        await mended(canvas.application)
        for brush in brushes:
            await brush.settled()
        await settle(1.0)
        assert len(others.colors) == len(set(others.colors))
        for brush in brushes:
            for id_ in brush.painted:
                for x, color in enumerate(brush.colors(id_)):
                    assert color in others.colors or (id_, x) in brush.told


@simulated
async def test_refusal_that_a_crash_of_the_canvas_followed_is_told_again(tmp_path: Path) -> None:
    async with simulation(tmp_path, cooldown=Cooldown(60.0, 60.0)) as canvas:
        ann = await BinaryClient.open(canvas.door, f"/ws?client={CLIENT}")
        suspend("store")
        ann.send_binary(THREE)
        assert (await ann.error())["code"] == "cooldown"
        ann.hang_up(RESET)
        force_exit(registered("canvas"), "crash")
        resume("store")
        await mended(canvas.application)
        bob = await BinaryClient.open(canvas.door, f"/ws?client={CLIENT}")
        bob.send_binary(THREE)
        await bob.acknowledged(7)
        assert [(error["code"], error["x"]) for error in bob.screen.errors] == [("cooldown", 1), ("cooldown", 2)]
        assert canvas.application.store.load().seq == 1


@simulated
async def test_repeat_is_answered_as_far_as_it_names_the_pixels_of_the_message(tmp_path: Path) -> None:
    async with simulation(tmp_path, rate_limit=RateLimit(0.001, 1)) as canvas:
        ann = await BinaryClient.open(canvas.door, f"/ws?client={CLIENT}")
        ann.send_binary(THREE)
        await ann.acknowledged(7)
        bob = await VirtualClient.open(canvas.door, f"/ws?client={CLIENT}")
        for x, refused in [(1, [(1, 0)]), (0, []), (9, [])]:
            bob.screen.acks.clear()
            bob.screen.errors.clear()
            bob.paint(x, 0, RED, 7)
            await bob.acknowledged(7)
            assert [(error["x"], error["y"]) for error in bob.screen.errors] == refused
        assert canvas.application.store.load().seq == 1


@simulated
async def test_repeat_for_which_there_is_no_room_is_not_acknowledged_before_its_message_is_on_the_canvas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas_module, "MAX_WAITING", 1)
    async with simulation(tmp_path) as canvas:
        ann = Painter(canvas)
        await ann.settled()
        suspend("store")
        for _ in range(3):  # one is with the store, one waits, and for the last one there is no room
            ann.paint()
            await settle(1.0)
        assert ann.refused == {2: ["store_unavailable"]}
        ann.reconnect()
        await ann.client.until(lambda: not ann.is_behind)
        await settle(1.0)
        assert ann.client.screen.acks == {2: 0}
        resume("store")
        await settle(1.0)
        for id_ in range(2):
            ann.send(id_)
        await ann.settled()
        assert canvas.application.store.load().seq == 2


@pytest.mark.parametrize("limits", [{"rate_limit": RateLimit(0.001, 1)}, {"cooldown": Cooldown(60.0, 60.0)}])
@simulated
async def test_refusal_that_is_remembered_keeps_nothing_else(tmp_path: Path, limits: dict[str, Any]) -> None:
    async with simulation(tmp_path, **limits) as canvas:
        ann = await BinaryClient.open(canvas.door, f"/ws?client={CLIENT}")
        ann.send_binary(THREE)
        await ann.acknowledged(7)
        (refused,) = canvas.application.room.accepted.refusals(Key(CLIENT, 7))
        assert refused.pixels == ((1, 0), (2, 0))
        assert refused.__traceback__ is None
        assert refused.__context__ is None


@simulated
async def test_refusals_of_messages_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "MAX_REFUSED", 100)
    async with simulation(tmp_path, palette=(0xFF0000,)) as canvas:
        ann = await BinaryClient.open(canvas.door, f"/ws?client={CLIENT}")
        suspend("store")
        for id_ in range(50):
            cells = [(id_ % 32, y, 255 if y == 0 else 0) for y in range(16)]  # all but the first one are refused
            ann.send_binary(pack("<BI", 4, id_) + b"".join(pack("<HHBBB", x, y, red, 0, 0) for x, y, red in cells))
        await settle(1.0)
        assert len(ann.screen.errors) == 50 * 15
        gc.collect()
        kept = [refused for refused in gc.get_objects() if type(refused) is BadMessage]
        assert 0 < sum(len(refused.pixels) for refused in kept) <= 100
        resume("store")
        await ann.acknowledged(49)
        assert len(ann.screen.acks) == 50


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=40), st.integers(0, MAX_ID))
def test_ids_are_known_once_they_were_accepted(messages: list[tuple[str, int]], first: int) -> None:
    memory, model = Accepted(), set()
    for client, number in messages:
        key = Key(client, (first + number) % (MAX_ID + 1))  # after the largest comes 0
        assert (key in memory) == (key in model)
        if key not in memory:
            memory.add(key, "192.0.2.1")
            model.add(key)
            assert key in memory
            memory.settle(key)
    assert all(key in memory for key in model)
    assert None not in memory
    memory.begin("another", 0)
    assert not any(key in memory for key in model)


def test_canvas_that_begins_again_forgets_what_was_lost_and_nothing_else() -> None:
    memory = Accepted()
    memory.begin("epoch", 3)
    keys = [Key("ann", id_) for id_ in range(5)]
    for key, seq in zip(keys, [None, 4, 5, 6, 7], strict=True):
        memory.add(key, "192.0.2.1")
        if seq is not None:
            memory.send(key, seq)
    memory.settle(keys[4])
    for key in keys:
        memory.refuse(key, BadMessage("cooldown", "wait"))
    memory.begin("epoch", 5)
    assert [key.id for key in keys if memory.refusals(key)] == [1, 2, 4]
    assert [key.id for key in keys if key in memory] == [1, 2, 4]
    memory.begin("epoch", 9)  # what was lost stays so
    assert [key.id for key in keys if key in memory] == [1, 2, 4]


def remember(memory: Accepted, client: str, id_: int, address: str = "192.0.2.1") -> None:
    memory.add(Key(client, id_), address)
    memory.settle(Key(client, id_))


def known(memory: Accepted, clients: str) -> str:
    """Of which of these clients message 0 is known."""
    return "".join(client for client in clients if Key(client, 0) in memory)


def test_of_each_client_the_last_ids_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "WINDOW", 4)
    memory = Accepted()
    for id_, ids in [(7, [7]), (9, [7, 9]), (8, [7, 8, 9]), (11, [8, 9, 11]), (7, [8, 9, 11]), (30, [30]), (26, [30])]:
        remember(memory, "a", id_)
        assert [id_ for id_ in range(40) if Key("a", id_) in memory] == ids


def test_clients_that_painted_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "MAX_CLIENTS", 3)
    memory = Accepted()
    for client in "abca":
        remember(memory, client, 0, f"address of {client}")
    assert known(memory, "abcd") == "abc"
    remember(memory, "d", 0, "address of d")
    assert known(memory, "abcd") == "acd"


def test_clients_of_one_address_do_not_have_those_of_others_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "MAX_CLIENTS", 6)
    monkeypatch.setattr(accepted, "SHARE", 3)
    memory = Accepted()
    for client in "abc":
        remember(memory, client, 0, f"address of {client}")
    for client in "wxyz":
        remember(memory, client, 0)
    assert known(memory, "abcwxyz") == "abcxyz"
    remember(memory, "a", 0)  # it has moved
    assert known(memory, "abcwxyz") == "abcyz"
    for client in "bc":
        remember(memory, client, 1)
    remember(memory, "v", 0)
    assert known(memory, "abcwxyz") == "bc"


def test_message_whose_refusals_are_forgotten_is_forgotten_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "MAX_REFUSED", 4)
    memory, refused = Accepted(), BadMessage("cooldown", "wait").about(None, [(0, 0), (1, 0)])
    for client in "abc":
        remember(memory, client, 0)
        memory.refuse(Key(client, 0), refused)
    assert known(memory, "abc") == "bc"
    memory.add(Key("d", 0), "192.0.2.1")
    memory.refuse(Key("d", 0), refused)
    for client in "ef":
        remember(memory, client, 0)
        memory.refuse(Key(client, 0), refused)
    memory.settle(Key("d", 0))
    assert known(memory, "abcdef") == "ef"
    memory.begin("another", 0)
    remember(memory, "g", 0)
    memory.refuse(Key("g", 0), refused)
    memory.refuse(Key("g", 0), refused)
    assert memory.refusals(Key("g", 0)) == [refused, refused]


def test_message_that_was_forgotten_is_answered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "MAX_CLIENTS", 1)
    memory = Accepted()
    remember(memory, "a", 0)
    memory.refuse(Key("a", 0), BadMessage("cooldown", "wait"))
    remember(memory, "b", 0)
    remember(memory, "a", 0)
    assert memory.refusals(Key("a", 0)) == ()
