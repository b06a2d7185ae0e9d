"""A data folder belongs to one process at a time, and outlives it."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from canvas.application import CanvasApplication
from canvas.bans import FILE as BANS
from canvas.bans import Bans
from canvas.config import Config
from canvas.folder import Folder
from canvas.identity import KEY, read_key
from canvas.store import DATABASE, About, SqliteStore, UnusableStore
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
    code = "import pathlib, canvas.folder as f; a = f.Folder(pathlib.Path(%r)); print(1, flush=True); input()"
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
    KEY: lambda path: read_key(path.parent),
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
