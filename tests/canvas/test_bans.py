"""Who may not come in: users, addresses and networks, over restarts."""

from pathlib import Path

import pytest

from canvas.bans import BadBans, Ban, Bans


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
    ],
)  # fmt: skip
def test_banned_address_is_found_whoever_comes_from_there(
    tmp_path: Path, whom: str, address: str, is_banned: bool
) -> None:
    bans = bans_of(tmp_path)
    bans.add(whom)
    assert (bans.find("ann", address) is not None) is is_banned


def test_bans_are_kept(tmp_path: Path) -> None:
    bans_of(tmp_path).add("ann", "why")
    bans_of(tmp_path).add("192.0.2.0/24")
    again = bans_of(tmp_path)
    assert [ban.whom for ban in again.all()] == ["ann", "192.0.2.0/24"]
    assert again.find(None, "192.0.2.9") is not None


def test_ban_is_lifted_and_stays_lifted(tmp_path: Path) -> None:
    bans = bans_of(tmp_path)
    bans.add("192.0.2.0/24")
    assert bans.remove("192.0.2.5/24")
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


@pytest.mark.parametrize("content", ["", "{}x", "[1]", '[{"whom": "ann"}]', "7"])
def test_file_that_is_none_of_ours_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bans.json"
    file.write_text(content)
    with pytest.raises(BadBans, match=r"bans\.json cannot be read"):
        bans_of(tmp_path)
    assert file.read_text() == content
