"""Whatever clients send, in whatever pieces: each message has its answer, and no actor crashes."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.debug import processes
from actors.testing import run, settle
from canvas.board.errors import BadMessage
from canvas.messages.json_codec import decode
from canvas.messages.values import ClientPixelUpdate
from protocol import Opcode, encode_frame
from tests.support.instance import Simulation, simulation
from tests.support.virtual_network import MASK, VirtualClient

WIDTH, HEIGHT = 32, 16
PIXELS = st.builds(
    lambda x, y, color: json.dumps({"type": "pixel_update", "x": x, "y": y, "color": f"#{color:06X}"}),
    st.integers(-1, WIDTH),
    st.integers(-1, HEIGHT),
    st.integers(0, 0xFFFFFF),
)
CURSORS = st.builds(
    lambda x, y: json.dumps({"type": "cursor_move", "x": x, "y": y}), st.integers(-1, WIDTH), st.integers(-1, HEIGHT)
)
MESSAGES = st.lists(PIXELS | PIXELS | CURSORS | st.text(max_size=20) | st.binary(max_size=20), max_size=40)
CUTS = st.lists(st.integers(0, 2_000), max_size=20)


def frame(message: str | bytes, fragments: int) -> bytes:
    """A message as frames of a client, in `fragments` pieces."""
    payload = message.encode() if isinstance(message, str) else message
    size = max(1, -(-len(payload) // fragments))
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    first = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
    return b"".join(
        encode_frame(Opcode.CONTINUATION if number else first, piece, fin=number == len(pieces) - 1, mask=MASK)
        for number, piece in enumerate(pieces)
    )


def send_in_pieces(client: VirtualClient, data: bytes, cuts: list[int]) -> None:
    for start, end in itertools.pairwise(sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})):
        client.send_bytes(data[start:end])


def check_unharmed(canvas: Simulation) -> None:
    assert [process.label for process in processes() if process.restarts] == []
    assert canvas.application.top().is_alive()


@settings(max_examples=60, deadline=None)
@given(messages=MESSAGES, cuts=CUTS, fragments=st.integers(1, 4), seed=st.integers(1, 1_000))
def test_each_message_has_its_answer(
    tmp_path_factory: pytest.TempPathFactory, messages: list[str | bytes], cuts: list[int], fragments: int, seed: int
) -> None:
    painted, codes, colors = [], [], dict[tuple[int, int], int]()
    for message in messages:
        try:
            if isinstance(message, bytes):
                raise BadMessage("unsupported_data", "")
            read = decode(message, WIDTH, HEIGHT)
        except BadMessage as error:
            codes.append(error.code)
        else:
            if isinstance(read, ClientPixelUpdate) and colors.get((read.x, read.y), 0xFFFFFF) != read.color:
                colors[read.x, read.y] = read.color
                painted.append((read.x, read.y, f"#{read.color:06X}"))

    async def scenario() -> None:
        async with simulation(tmp_path_factory.mktemp("canvas")) as canvas:
            ann, bob = await canvas.join(), await canvas.join()
            send_in_pieces(ann, b"".join(frame(message, fragments) for message in messages), cuts)
            for client in (ann, bob):
                await client.until(lambda client=client: client.screen.seq == len(painted))
            await ann.until(lambda: len(ann.screen.errors) == len(codes))
            assert ann.screen.own == painted
            assert [error["code"] for error in ann.screen.errors] == codes
            assert ann.screen.pixels == bob.screen.pixels
            check_unharmed(canvas)

    run(scenario(), seed=seed)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), before_handshake=st.booleans(), cuts=CUTS)
def test_any_bytes_harm_nobody(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, before_handshake: bool, cuts: list[int]
) -> None:
    async def scenario() -> None:
        async with simulation(tmp_path_factory.mktemp("canvas")) as canvas:
            ann = await canvas.join()
            vandal: Any = RawVisitor() if before_handshake else await canvas.join()
            if before_handshake:
                canvas.door.connect(vandal)
            send_in_pieces(vandal, data, cuts)
            await settle(0.1)
            ann.paint(0, 0, "#FF0000")
            await ann.until(lambda: bool(ann.screen.own))
            assert vandal.closed is None or vandal.closed[0] in (1000, 1002, 1005, 1006, 1007, 1008, 1009)
            check_unharmed(canvas)

    run(scenario())


class RawVisitor(VirtualClient):
    """Sends anything but a handshake, and looks at nothing."""

    def feed(self, data: bytes) -> None:
        """Ignore it."""
