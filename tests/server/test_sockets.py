"""The listening sockets: bound before anything starts, and never two on one address."""

import errno
import socket
import stat
from pathlib import Path

import pytest

from supervision.server import Sockets, listen, listen_unix


def test_port_0_is_a_port_of_the_systems_choice() -> None:
    sockets = Sockets(listen("127.0.0.1", 0))
    assert sockets.port > 0
    with socket.create_connection(("127.0.0.1", sockets.port)):
        pass
    sockets.close()


def test_port_in_use_is_refused() -> None:
    with listen("127.0.0.1", 0)[0] as listening:
        port = listening.getsockname()[1]
        with pytest.raises(OSError) as caught:
            listen("127.0.0.1", port)
        assert caught.value.errno == errno.EADDRINUSE


def test_port_is_free_again_at_once() -> None:
    (listening,) = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        listening.accept()[0].close()  # leaves a connection in TIME_WAIT
    listening.close()
    listen("127.0.0.1", port)[0].close()


def test_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(OSError):
        listen("192.0.2.1", 0)


def test_unix_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with listen_unix(path) as listening:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert Sockets([listening]).port == 0


def test_unix_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    listen_unix(path).close()
    assert path.exists()
    with listen_unix(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_unix_socket_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with listen_unix(path):
        with pytest.raises(OSError, match="another process listens"):
            listen_unix(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    path.write_text("precious")
    with pytest.raises(OSError):
        listen_unix(path)
    assert path.read_text() == "precious"
