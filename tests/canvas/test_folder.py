"""A data folder belongs to one process at a time, and outlives it."""

import errno
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from canvas.application import CanvasApplication
from canvas.config import Config
from canvas.data_dir import FILES, Folder
from canvas.store import DATABASE, About, SqliteStore, UnusableStore
from canvas.users.bans import FILE as BANS
from canvas.users.bans import Bans
from canvas.users.identity import KEY, read_keys
from supervision.console.api.audit import append
from supervision.console.api.principals import Access
from supervision.console.api.tokens import add_token
from supervision.secret_file import UnsafeFile
from tests.support.instance import SMALL, new_application

ROOT = Path(__file__).parent.parent.parent


def test_folder_of_another_is_refused_until_it_is_released(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "a" / "b")
    with pytest.raises(OSError) as refusal:
        Folder(folder.path)
    assert refusal.value.errno == errno.EADDRINUSE
    assert refusal.value.filename == str(folder.path / "lock")
    folder.release()
    folder.release()
    Folder(folder.path).release()


def test_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    code = "import pathlib, canvas.data_dir as f; a = f.Folder(pathlib.Path(%r)); print(1, flush=True); input()"
    command = [sys.executable, "-c", code % str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        with pytest.raises(OSError):
            Folder(tmp_path)
        process.kill()
    Folder(tmp_path).release()


def test_application_that_cannot_start_leaves_the_folder_free(tmp_path: Path) -> None:
    (tmp_path / "canvas.db").write_bytes(b"no database at all\n" * 1000)
    for _ in range(2):
        with pytest.raises(UnusableStore, match="is damaged"):
            new_application(tmp_path, store="sqlite")
    Folder(tmp_path).release()


def test_stored_canvas_keeps_its_size_unless_another_is_asked_for(tmp_path: Path) -> None:
    new_application(tmp_path, store="sqlite").close()
    options = {**SMALL, "store": "sqlite", "data": tmp_path, "width": 1000, "height": 1000, "background": 0}
    application = CanvasApplication(Config(**options))
    room = application.room
    assert (room.width, room.height, room.background) == (32, 16, 0xFFFFFF)
    application.close()
    for name, asked, has in (("width", "1000", "32"), ("height", "1000", "16"), ("background", "#000000", "#FFFFFF")):
        with pytest.raises(UnusableStore) as refusal:
            CanvasApplication(Config(**options, given={name: f"--{name}"}))
        path = tmp_path / "canvas.db"
        assert str(refusal.value) == f"--{name} is {asked}, but the {name} of the canvas in {path} is {has}"


MAKERS: dict[str, Callable[[Path], object]] = {
    KEY: lambda path: read_keys(path.parent),
    BANS: lambda path: Bans(path, lambda: 0.0).add("eve"),
    DATABASE: lambda path: SqliteStore.open(path, new=About("an epoch", 9, 9, 0)).close(),
}


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_to_outlive_a_power_cut_reaches_the_disk_before_and_after_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, synced = tmp_path / name, list[tuple[int, bool]]()
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    MAKERS[name](path)
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


# Nobody else looks into it.


def loose(folder: Path, mode: int) -> None:
    """Fill a folder as an earlier version, with modes of its own."""
    application = new_application(folder, store="sqlite", console_port=0)
    application.moderation.ban("192.0.2.1")
    add_token(folder, "ann", Access.LOOK, 0.0, None)
    append(folder / "audit.log", b"{}\n")
    application.close()
    for path in folder.iterdir():
        path.chmod(mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_folder_and_all_that_is_in_it_are_its_owners_alone(tmp_path: Path, umask: int) -> None:
    earlier = os.umask(umask)
    try:
        loose(tmp_path / "data", 0o600)
        application = new_application(tmp_path / "data", store="sqlite", console_port=0)
    finally:
        os.umask(earlier)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert set(modes.values()) == {0o600}
    assert set(modes) <= set(FILES)
    application.close()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_what_others_could_read_is_closed_to_them(tmp_path: Path, mode: int) -> None:
    loose(tmp_path, mode)
    tmp_path.chmod(0o755)
    with capture_logs() as logs:
        Folder(tmp_path).release()
    (told,) = (entry["paths"].split(", ") for entry in logs if entry["event"] == "folder.closed_to_others")
    assert sorted(told) == sorted([str(tmp_path), *(str(path) for path in tmp_path.iterdir())])
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    with capture_logs() as logs:
        Folder(tmp_path).release()
    assert logs == []


def write_by_others(path: Path) -> str:
    path.chmod(0o620)
    return f"is writable by other users: check its content, then run chmod 600 {path}"


def give_away(path: Path) -> str:
    os.chown(path, os.geteuid() + 1, -1)
    return f"belongs to user {os.geteuid() + 1}, but this process runs as user {os.geteuid()}"


def link(path: Path) -> str:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    return "is a symbolic link"


def make_pipe(path: Path) -> str:
    path.unlink()
    os.mkfifo(path, 0o600)
    return "is not a regular file"


@pytest.mark.parametrize("spoil", [write_by_others, give_away, link, make_pipe])
def test_what_others_could_have_written_is_refused_and_named(tmp_path: Path, spoil: Callable[[Path], str]) -> None:
    if spoil is give_away and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    loose(tmp_path, 0o600)
    for name in sorted(path.name for path in tmp_path.iterdir()):
        path, aside = tmp_path / name, tmp_path / "aside"
        aside.write_bytes(path.read_bytes())
        said = spoil(path)
        with pytest.raises(UnsafeFile) as refusal:
            new_application(tmp_path, store="sqlite", console_port=0)
        assert str(refusal.value).startswith(f"{path} {said}")
        assert "\n" not in str(refusal.value)
        path.unlink()
        aside.chmod(0o600)
        aside.rename(path)
    new_application(tmp_path, store="sqlite", console_port=0).close()


def test_folder_that_others_can_write_to_or_that_is_anothers_is_refused(tmp_path: Path) -> None:
    Folder(tmp_path).release()
    for mode in (0o777, 0o770, 0o702):
        tmp_path.chmod(mode)
        with pytest.raises(UnsafeFile, match=f"then run chmod 700 {tmp_path}"):
            Folder(tmp_path)
    tmp_path.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(tmp_path, 1, -1)
        with pytest.raises(UnsafeFile, match="belongs to user 1"):
            Folder(tmp_path)


def test_path_of_the_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o755)
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    Folder(tmp_path / "data").release()
    assert stat.S_IMODE((tmp_path / "disk").stat().st_mode) == 0o700


def test_documents_name_every_file_of_a_data_folder() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("## What is kept")[2].partition("\n\n|")[2].partition("\n\n")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(FILES)
