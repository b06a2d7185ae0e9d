"""What the system tells of a socket, over real ones: nothing is taken for read that only waits in its buffers."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator

import pytest

from supervision.server.progress import SystemProgress, progress_of
from tests.support.scenarios import live_on_every_loop

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what was acknowledged")


@contextlib.contextmanager
def connected(family: socket.AddressFamily) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of one connection."""
    if family == socket.AF_UNIX:
        ours, theirs = socket.socketpair(family)
    else:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            theirs = socket.create_connection(listening.getsockname())
            ours = listening.accept()[0]
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def fill(ours: socket.socket) -> int:
    """Write until the system takes no more; returns how much it took."""
    written = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            written += ours.send(bytes(65_536))
    return written


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=["TCP", "unix"])
def test_what_the_peer_has_not_taken_is_held_and_counts_when_it_is_read(family: socket.AddressFamily) -> None:
    with connected(family) as (ours, theirs):
        progress = SystemProgress(ours)
        assert (progress.held(), progress.acknowledged(0)) == (0, 0)
        written = fill(ours)
        held, acknowledged = progress.held(), progress.acknowledged(written)
        assert held > 0
        assert acknowledged < written
        if family == socket.AF_INET:
            assert held + acknowledged >= written  # more was acknowledged between the two looks
        rest = written
        while rest:
            rest -= len(theirs.recv(rest))
        assert progress.held() < held
        assert progress.acknowledged(written) > acknowledged


def test_nothing_is_known_of_a_socket_that_is_closed() -> None:
    with connected(socket.AF_INET) as (ours, _):
        ours.close()
        progress = SystemProgress(ours)
        assert (progress.held(), progress.acknowledged(7)) == (0, 7)


@live_on_every_loop
async def test_transport_of_every_loop_tells() -> None:
    with connected(socket.AF_INET) as (ours, _):
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, ours)
        transport.write(bytes(20_000_000))
        progress = progress_of(transport)
        written = 20_000_000 - transport.get_write_buffer_size()
        assert progress.held() > 0
        assert progress.acknowledged(written) < written
        transport.abort()
        await asyncio.sleep(0)
        assert progress_of(transport).held() == 0
