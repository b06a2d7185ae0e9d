"""Tokens: named, with a role and an end, revoked while the console runs, and kept as hashes."""

import errno
import os
import stat
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from supervision.console.api import tokens as module
from supervision.console.api.principals import Access
from supervision.console.api.tokens import (
    FILE,
    PLAIN,
    BadToken,
    Tokens,
    add_token,
    create_plain_tokens,
    hash_of,
    list_tokens,
    read_tokens,
    revoke_token,
)
from supervision.secret_file import UnsafeFile
from tests.support.console import Asker, audit, console, logged_in
from tests.support.scenarios import live


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_token_opens_what_it_is_for_until_its_end(tmp_path: Path) -> None:
    clock = Clock()
    tokens = Tokens(tmp_path, clock)
    for role in Access:
        for_good = add_token(tmp_path, role.value, role, clock.now, None)
        for_a_day = add_token(tmp_path, f"{role.value}-today", role, clock.now, 86_400.0)
        clock.now += 86_399.0
        found = [tokens.find(secret) for secret in (for_good, for_a_day)]
        assert [each and (each.name, each.access) for each in found] == [
            (role.value, role), (f"{role.value}-today", role),
        ]  # fmt: skip
        clock.now += 1.0
        assert tokens.find(for_good) == found[0]
        assert tokens.find(for_a_day) is None
        assert found[1] is not None
        assert not tokens.holds(found[1])


@given(st.text())
def test_text_that_is_no_token_opens_nothing(text: str) -> None:
    assert Tokens(Path("/nonexistent"), Clock()).find(text) is None


def test_token_counts_and_ends_at_once(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, Clock())
    secret = add_token(tmp_path, "ann", Access.LOOK, 0.0, None)
    other = add_token(tmp_path, "bob", Access.LOOK, 0.0, None)
    found = tokens.find(secret)
    assert found is not None
    assert tokens.holds(found)
    revoke_token(tmp_path, "ann")
    assert tokens.find(secret) is None
    assert not tokens.holds(found)
    assert tokens.find(other) is not None
    again = add_token(tmp_path, "ann", Access.ADMINISTER, 0.0, None)
    assert tokens.find(secret) is None
    assert not tokens.holds(found), "the name is the same, the token is another"
    assert tokens.find(again) is not None


def test_secret_is_kept_nowhere(tmp_path: Path) -> None:
    secret = add_token(tmp_path, "ann", Access.LOOK, 0.0, None)
    assert len(secret) >= 43
    content = (tmp_path / FILE).read_bytes()
    assert secret.encode() not in content
    assert hash_of(secret).encode() in content
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE]


def test_name_is_unique_and_harmless(tmp_path: Path) -> None:
    add_token(tmp_path, "ann", Access.LOOK, 0.0, 10.0)
    with pytest.raises(BadToken, match="there is already a token ann"):
        add_token(tmp_path, "ann", Access.LOOK, 9.0, None)
    for name in ("", "a b", "-a", "a\nb", "a" * 65, "ä", "console-token", "console-token-read"):
        with pytest.raises(BadToken, match="a token's name has"):
            add_token(tmp_path, name, Access.LOOK, 0.0, None)
    add_token(tmp_path, "ann", Access.MODERATE, 10.0, None)
    assert [each.access for each in list_tokens(tmp_path)] == [Access.MODERATE], "one that has expired makes room"
    with pytest.raises(BadToken, match="there is no token eve"):
        revoke_token(tmp_path, "eve")


def test_plain_tokens_are_made_once_and_one_that_is_deleted_opens_nothing(tmp_path: Path) -> None:
    create_plain_tokens(tmp_path)
    tokens = Tokens(tmp_path, Clock())
    secrets = {name: (tmp_path / name).read_text().strip() for name in PLAIN}
    create_plain_tokens(tmp_path)
    for name, access in PLAIN.items():
        found = tokens.find(secrets[name])
        assert found is not None
        assert (found.name, found.access) == (name, access)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        revoke_token(tmp_path, name)
        assert tokens.find(secrets[name]) is None
    (tmp_path / "console-token").write_text("short")
    create_plain_tokens(tmp_path)
    assert len((tmp_path / "console-token").read_text().strip()) >= 43


def test_file_that_could_not_be_read_once_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, errors = add_token(tmp_path, "ann", Access.LOOK, 0.0, None), [0]
    logged: list[str] = []

    class Log:
        def error(self, event: str, **_: str) -> None:
            logged.append(event)

    def fail(path: Path) -> bytes:
        raise OSError(errors[0], os.strerror(errors[0]), str(path))

    monkeypatch.setattr(module, "log", Log())
    tokens = Tokens(tmp_path, Clock())
    for number in (errno.EMFILE, errno.ENFILE, errno.EIO, errno.EACCES):
        errors[0] = number
        with monkeypatch.context() as patched:
            patched.setattr(module, "read_private", fail)
            os.utime(tmp_path / FILE, ns=(number, number))
            logged.clear()
            assert [tokens.find(secret) for _ in range(3)] == [None] * 3
            assert logged == ["console.tokens_refused"], "once, however often somebody asks"
        assert tokens.find(secret) is not None


def write_by_others(path: Path) -> None:
    path.chmod(0o666)


def give_away(path: Path) -> None:
    os.chown(path, os.geteuid() + 1, -1)


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize("spoil", [write_by_others, give_away, link, make_pipe])
@pytest.mark.parametrize("name", [FILE, *PLAIN])
def test_file_that_cannot_be_trusted_opens_nothing(tmp_path: Path, name: str, spoil: object) -> None:
    create_plain_tokens(tmp_path)
    secret = add_token(tmp_path, "ann", Access.LOOK, 0.0, None)
    if name != FILE:
        secret = (tmp_path / name).read_text().strip()
    tokens = Tokens(tmp_path, Clock())
    assert tokens.find(secret) is not None
    assert callable(spoil)
    if spoil is give_away and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    spoil(tmp_path / name)
    assert tokens.find(secret) is None
    with pytest.raises(UnsafeFile, match=name):
        list_tokens(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"{}{", b"[1]", b'[{"name": "a"}]', b'[{"name":"a","access":"root"}]', b"\xff"]
)
def test_damaged_file_opens_nothing_and_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert Tokens(tmp_path, Clock()).find("a" * 43) is None
    with pytest.raises(BadToken, match="is damaged"):
        read_tokens(tmp_path / FILE)


@live
async def test_revoked_token_takes_its_sessions_and_its_viewers_along(tmp_path: Path) -> None:
    async with console(tmp_path) as root:
        ann = root.holder("ann", Access.MODERATE)
        cookie, bob = await logged_in(ann), root.anonymous()
        assert orjson.loads((await bob.send("GET", "/api/v1/session", Cookie=cookie)).body)["access"] == "moderate"
        headers = {"Authorization": f"Bearer {ann.token}"}
        async with connect(f"ws://127.0.0.1:{ann.port}/api/v1/live", additional_headers=headers, proxy=None) as viewer:
            await viewer.recv()
            revoke_token(tmp_path, "ann")
            await ann.ask("GET", "overview", status=401)
            assert (await bob.send("GET", "/api/v1/session", Cookie=cookie)).status == 401
            with pytest.raises(ConnectionClosedError, match="1008"):
                await anext(message async for message in viewer if b"never" in message)
        assert (await root.get("overview"))["actors"] > 10


@live
async def test_audit_log_names_the_holder(tmp_path: Path) -> None:
    async with console(tmp_path) as root:
        ann = root.holder("ann", Access.MODERATE)
        await ann.ask("POST", "bans?whom=192.0.2.1")
        await Asker(root.application, ann.token).ask("POST", "drain", status=403)
        assert {line["who"] for line in await audit(root.application)} == {"ann (moderate) from 127.0.0.1"}
