"""The listening sockets: bound before anything starts, and never two on one address."""

import errno
import socket
import stat
from pathlib import Path

import pytest

from supervision.server import Sockets, inherited, listen, listen_unix


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
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
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


def test_unix_socket_is_removed_when_it_is_closed_but_never_that_of_a_successor(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    draining = Sockets([listen_unix(path)])
    draining.listening[0].close()
    assert not path.exists()
    with listen_unix(path), socket.socket(socket.AF_UNIX) as client:
        draining.close()
        client.connect(str(path))


def test_unix_socket_whose_path_has_gone_closes_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    listening = listen_unix(path)
    path.unlink()
    listening.close()
    assert listening.fileno() == -1


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    path.write_text("precious")
    with pytest.raises(OSError):
        listen_unix(path)
    assert path.read_text() == "precious"


def test_name_with_several_addresses_is_listened_on_at_all_of_them() -> None:
    doors = listen("localhost", 0)
    addresses = {door.getsockname()[0] for door in doors}
    assert "127.0.0.1" in addresses or "::1" in addresses
    assert len({door.getsockname()[1] for door in doors}) == 1
    for door in doors:
        door.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6; use one that has")
def test_ipv6_address_is_listened_on() -> None:
    (door,) = listen("::1", 0)
    with door, socket.create_connection(("::1", door.getsockname()[1])):
        pass


def test_all_addresses_of_both_kinds_may_share_a_port() -> None:
    (first,) = listen("0.0.0.0", 0)  # the other way round, the port might be one that an IPv4 client has just left
    port = first.getsockname()[1]
    with first:
        (second,) = listen("::", port)
        with second:
            for address in ("::1", "127.0.0.1"):
                with socket.create_connection((address, port)):
                    pass


# Sockets that systemd hands over.


def test_nothing_is_taken_over_that_was_meant_for_another_process() -> None:
    assert inherited({}, pid=5) == []
    assert inherited({"LISTEN_PID": "4", "LISTEN_FDS": "1"}, pid=5) == []
    assert inherited({"LISTEN_PID": "5", "LISTEN_FDS": "many"}, pid=5) == []
    assert inherited({"LISTEN_PID": "5", "LISTEN_FDS": "0"}, pid=5) == []
