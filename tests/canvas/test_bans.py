"""Who may not come in: users, addresses and networks, over restarts."""

import ipaddress
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.users.bans import BadBans, BadTarget, Ban, Bans, canonical


def bans_of(folder: Path) -> Bans:
    return Bans(folder / "bans.json", lambda: 1_000.0)


def test_nobody_is_banned_at_first(tmp_path: Path) -> None:
    bans = bans_of(tmp_path)
    assert bans.find("ann", "192.0.2.1") is None
    assert bans.all() == []


def test_banned_user_is_found_wherever_they_come_from(tmp_path: Path) -> None:
    bans = bans_of(tmp_path)
    ban = bans.add("ann", "paints over others")
    assert ban == Ban("ann", "paints over others", 1_000.0)
    assert bans.find("ann", "192.0.2.1") == bans.find("ann", "local") == ban
    assert bans.find("bob", "192.0.2.1") is None
    assert bans.find(None, "192.0.2.1") is None


@pytest.mark.parametrize(
    ("whom", "address", "is_banned"),
    [
        ("192.0.2.1", "192.0.2.1", True), ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.0/24", "192.0.2.200", True), ("192.0.2.7/24", "192.0.2.200", True),
        ("192.0.2.0/24", "192.0.3.1", False), ("192.0.2.0/24", "2001:db8::1", False),
        ("2001:DB8::/32", "2001:db8::1", True), ("192.0.2.0/24", "local", False),
        ("2001:db8:1:2::7", "2001:db8:1:2:ffff::8", True), ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        ("2001:db8::7/128", "2001:db8::7", True), ("2001:db8::7/128", "2001:db8::8", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True), ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.0/120", "192.0.2.9", True), ("::ffff:192.0.2.0/120", "192.0.3.9", False),
        ("fe80::1%eth0", "fe80::2", True), (" 192.0.2.1 ", "192.0.2.1", True), ("::1", "127.0.0.1", False),
    ],
)  # fmt: skip
def test_banned_address_is_found_whoever_comes_from_there(
    tmp_path: Path, whom: str, address: str, is_banned: bool
) -> None:
    bans = bans_of(tmp_path)
    bans.add(whom)
    assert (bans.find("ann", address) is not None) is is_banned


@pytest.mark.parametrize(
    "text",
    ["192.0.2.300", "192.0.2.0/33", "192.0.2", "192.0.2.1:80", "[2001:db8::1]", "2001:db8::/200", "2001:db8::1::",
     "a b", "", "/24", "192.0.2.0/", "Ann!", "<b>", "x" * 65],
)  # fmt: skip
def test_what_is_no_user_and_no_address_is_refused(tmp_path: Path, text: str) -> None:
    bans = bans_of(tmp_path)
    with pytest.raises(BadTarget):
        bans.add(text)
    with pytest.raises(BadTarget):
        bans.add("ann", addresses=["192.0.2.1", text])
    assert bans.all() == []


def test_user_is_banned_with_their_addresses_until_all_of_it_is_lifted(tmp_path: Path) -> None:
    bans_of(tmp_path).add("ann", addresses=["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
    bans = bans_of(tmp_path)
    (ban,) = bans.all()
    assert ban.addresses == ("192.0.2.1", "2001:db8::/64")
    for who, address in (("ann", "198.51.100.1"), ("bob", "192.0.2.1"), (None, "2001:db8::2")):
        assert bans.find(who, address) == ban
    assert bans.remove("ann")
    assert bans.find("bob", "192.0.2.1") is None


def test_address_that_two_bans_name_is_kept_out_until_both_have_ended(tmp_path: Path) -> None:
    now = [1_000.0]
    bans = Bans(tmp_path / "bans.json", lambda: now[0])
    bans.add("ann", addresses=["192.0.2.1"])
    bans.add("192.0.2.1", seconds=30.0)
    now[0] = 1_030.0
    assert bans.find(None, "192.0.2.1") is not None
    assert bans.remove("ann")
    assert bans.find(None, "192.0.2.1") is None


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NETWORKS: st.SearchStrategy[Network] = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
).map(lambda pair: ipaddress.ip_network(pair, strict=False))


def has(network: Network, address: Address) -> bool:
    """Whether an address is in a network, also if either of them is IPv4 that is mapped into IPv6."""
    plain = (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address
    if network.version == 6 and plain.version == 4:
        return network.prefixlen >= 96 and ipaddress.IPv6Address(f"::ffff:{plain}") in network
    return plain in network


@given(st.lists(NETWORKS, max_size=5), st.ip_addresses())
def test_address_is_kept_out_if_a_network_has_it(
    tmp_path_factory: pytest.TempPathFactory, networks: list[Network], address: Address
) -> None:
    file = tmp_path_factory.getbasetemp() / "bans.json"
    file.write_bytes(orjson.dumps([asdict(Ban(canonical(str(network)), "", 0.0)) for network in networks]))
    bans = bans_of(file.parent)
    for each in (address, *(network[at] for network in networks for at in (0, -1))):
        is_banned = any(has(network, each) for network in networks)
        assert (bans.find(None, str(each)) is not None) is is_banned


@given(st.ip_addresses())
def test_every_spelling_of_an_address_is_the_same(address: Address) -> None:
    kept = canonical(str(address))
    assert canonical(kept) == kept
    assert canonical(f"  {address} ") == kept
    assert canonical(f"::ffff:{address}" if address.version == 4 else f"{address}%1") == kept
    assert canonical(address.exploded) == kept


def test_bans_are_kept(tmp_path: Path) -> None:
    bans_of(tmp_path).add("ann", "why")
    bans_of(tmp_path).add("192.0.2.0/24")
    bans_of(tmp_path).add("2001:db8::1/128")
    again = bans_of(tmp_path)
    assert [ban.whom for ban in again.all()] == ["ann", "192.0.2.0/24", "2001:db8::1/128"]
    assert again.find(None, "192.0.2.9") is not None


def test_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    old = '{"whom": "%s", "reason": "", "at": 1.0, "until": null}'
    (tmp_path / "bans.json").write_text(f"[{', '.join(old % whom for whom in ('ann', '2001:db8::1', 'no id'))}]")
    bans = bans_of(tmp_path)
    assert [ban.whom for ban in bans.all()] == ["ann", "2001:db8::/64", "no id"]
    assert bans.find(None, "2001:db8::2") is not None
    assert bans.remove("no id")


@pytest.mark.parametrize(
    ("ban", "told"),
    [(Ban("ann", "", 0.0), "you are banned"), (Ban("ann", "rude", 0.0), "you are banned: rude"),
     (Ban("ann", "rude", 0.0, 1_796_000_400.0), "you are banned until 2026-11-30 01:00 UTC: rude")],
)  # fmt: skip
def test_who_is_banned_is_told_until_when_and_why(ban: Ban, told: str) -> None:
    assert (ban.refusal.status, ban.refusal.close_code, ban.refusal.message) == (403, 4403, told)


def test_ban_is_lifted_and_stays_lifted(tmp_path: Path) -> None:
    bans = bans_of(tmp_path)
    bans.add("192.0.2.0/24")
    assert bans.remove(canonical("192.0.2.5/24"))
    assert not bans.remove("192.0.2.0/24")
    assert bans.find(None, "192.0.2.9") is None
    assert bans_of(tmp_path).all() == []


def test_ban_for_some_time_ends_by_itself_and_is_forgotten(tmp_path: Path) -> None:
    now = [1_000.0]
    bans = Bans(tmp_path / "bans.json", lambda: now[0])
    bans.add("ann", "cool down", seconds=60.0)
    bans.add("192.0.2.1", seconds=30.0)
    bans.add("bob")
    now[0] = 1_030.0
    assert bans.find(None, "192.0.2.1") is None
    assert bans.find("ann", "192.0.2.1") is not None
    now[0] = 1_060.0
    assert bans.find("ann", "192.0.2.1") is None
    assert [ban.whom for ban in bans.all()] == ["bob"]
    bans.add("carl")
    assert b"ann" not in (tmp_path / "bans.json").read_bytes()


def test_ban_that_cannot_be_kept_does_not_hold(tmp_path: Path) -> None:
    bans = Bans(tmp_path / "missing" / "bans.json", lambda: 0.0)
    with pytest.raises(OSError):
        bans.add("ann")
    assert bans.find("ann", "local") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}x",
        "[1]",
        '[{"whom": "ann"}]',
        "7",
        '[{"whom": "ann", "reason": "", "at": 1, "until": null, "addresses": ["ann"]}]',
        '[{"whom": "ann", "reason": "", "at": 1, "until": null, "addresses": 7}]',
    ],
)
def test_file_that_is_none_of_ours_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bans.json"
    file.write_text(content)
    with pytest.raises(BadBans, match=r"bans\.json cannot be read"):
        bans_of(tmp_path)
    assert file.read_text() == content
