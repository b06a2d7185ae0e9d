"""Addresses: what counts as one peer, and whose word is taken for another's."""

import pytest

from supervision.server.addresses import LOCAL, Proxies, client_network, plain_address

NGINX = Proxies.parse(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.7", [], "192.0.2.7"),
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),  # not a proxy of ours: what it says of others is nothing
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["203.0.113.9", "198.51.100.1"], "198.51.100.1"),  # the first one may be invented
        ("127.0.0.1", ["198.51.100.1", "10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", ["nonsense"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1", "nonsense", "10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("127.0.0.1", ["2001:DB8::1"], "2001:db8::1"),
        ("fd00::1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        (LOCAL, ["198.51.100.1"], LOCAL),
    ],
)
def test_only_proxies_that_are_trusted_are_believed(peer: str, forwarded: list[str], client: str) -> None:
    assert NGINX.client(peer, forwarded) == client


@pytest.mark.parametrize(
    ("peer", "forwarded", "is_secure"),
    [("10.0.0.1", ["https"], True), ("10.0.0.1", ["HTTPS", "http"], True), ("10.0.0.1", ["http", "https"], False),
     ("10.0.0.1", [], False), ("192.0.2.9", ["https"], False), ("local", ["https"], False)],
)  # fmt: skip
def test_only_a_proxy_that_is_trusted_says_that_its_client_speaks_tls(
    peer: str, forwarded: list[str], is_secure: bool
) -> None:
    assert Proxies.parse(["10.0.0.0/8"]).speaks_tls(peer, forwarded) is is_secure


def test_peer_on_a_unix_socket_may_be_a_proxy() -> None:
    assert Proxies.parse(["unix"]).client(LOCAL, ["198.51.100.1"]) == "198.51.100.1"


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/8", "10.0.0.0/33", "", "*"])
def test_what_is_no_network_is_no_proxy(text: str) -> None:
    with pytest.raises(ValueError):
        Proxies.parse([text])


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        (LOCAL, LOCAL),
    ],
)
def test_subscriber_counts_once_whatever_address_of_theirs_they_use(address: str, counts_as: str) -> None:
    assert client_network(address) == counts_as


@pytest.mark.parametrize(
    ("written", "plain"),
    [("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::1"), ("local", "local")],
)
def test_address_is_written_as_people_do(written: str, plain: str) -> None:
    assert plain_address(written) == plain
