"""An archive is imported whole or not at all, an output file is complete or the one before: whatever fails."""

import errno
import hashlib
import io
import json
import os
import resource
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas.board.grid import Change
from canvas.history.archive import MAX_LINE, Archive, BadArchive, Imported, export_lines, import_archive
from canvas.store import About, SqliteReader, SqliteStore, StoreError, UnusableStore, schema
from canvas.store.files import writing
from tests.canvas.store_contract import AT

NOW = AT + 1_000_000
SIZE = (9, 7)
COUNT = 25


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The archive of a canvas with changes of several painters."""
    return exported(painted(tmp_path_factory.mktemp("whole") / "canvas.db", COUNT))


def painted(path: Path, count: int, size: tuple[int, int] = SIZE, together: int = 2) -> Path:
    """A canvas with so many changes, some together."""
    with closing(SqliteStore.open(path, "none", new=About("an epoch", *size, 0xFFFFFF))) as store:
        changes = [
            Change(n * 7 % size[0], n * 5 % size[1], n * 0x050301 % 0x1000000, f"painter {n % 4}", n + 1)
            for n in range(count)
        ]
        for first in range(0, count, together):
            store.append(changes[first : first + together], AT + first / 3)
    return path


def exported(path: Path) -> bytes:
    """Its archive."""
    with closing(SqliteReader(path)) as reader:
        return b"".join(lines for _, lines in export_lines(reader))


def content(path: Path) -> list[bytes]:
    """All that makes a canvas, but for its epoch, which is another one after an import."""
    assert [file.name for file in path.parent.iterdir() if file.name not in (path.name, f"{path.name}-shm")] in (
        [], [f"{path.name}-wal"],
    )  # fmt: skip
    with closing(SqliteReader(path)) as reader:
        reader.verify()
        about = f"{reader.width} {reader.height} {reader.background}".encode()
        return [about, reader.grid().rgb(), *exported(path).splitlines()[1:-1]]


def imported(path: Path, data: bytes) -> Imported:
    return import_archive(path, io.BytesIO(data), NOW)


# Damage.


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_archive_is_refused_or_gives_the_same_canvas(whole: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1), "at")
    damaged = data.draw(
        st.one_of(
            st.just(whole[:at]),
            st.integers(1, 255).map(lambda flipped: whole[:at] + bytes((whole[at] ^ flipped,)) + whole[at + 1 :]),
            st.integers(0, len(whole)).map(lambda end: whole[:at] + whole[max(at, end) :]),
            st.binary(min_size=1, max_size=9).map(lambda more: whole[:at] + more + whole[at:]),
        ),
        "archive",
    )
    with suppress(BadArchive):
        assert read(damaged) == read(whole)


def test_archive_that_lacks_its_end_or_a_line_is_refused(whole: bytes) -> None:
    for end in range(len(whole) - 1):
        with pytest.raises(BadArchive):
            read(whole[:end])
    lines = whole.splitlines(keepends=True)
    for missing in range(len(lines)):
        with pytest.raises(BadArchive):
            read(b"".join(lines[:missing] + lines[missing + 1 :]))


def test_every_changed_bit_is_found_or_changes_nothing(whole: bytes) -> None:
    expected = read(whole)
    for place in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            with suppress(BadArchive):
                assert read(bytes(damaged)) == expected


def read(data: bytes) -> list[object]:
    """What an import writes, but for the epoch."""
    found = Archive(io.BytesIO(data), NOW)
    about = found.read_about()
    return [about.width, about.height, about.background, *found.changes(about), found.seq, found.is_checked]


def test_archive_that_is_refused_leaves_nothing(tmp_path: Path, whole: bytes) -> None:
    for end in (0, 10, len(whole) // 2, len(whole) - 2):
        with pytest.raises(BadArchive):
            imported(tmp_path / "canvas.db", whole[:end])
        assert list(tmp_path.iterdir()) == []


# What no canvas has.


HEAD: dict[str, Any] = {"canopy": 2, "epoch": "e", "width": 9, "height": 7, "background": "#FFFFFF"}
CHANGE: dict[str, Any] = {"seq": 1, "x": 8, "y": 6, "color": "#FF0000", "user": "ann", "at": 5.5}


def made(head: dict[str, Any], *changes: dict[str, Any]) -> bytes:
    """An archive whose checksum is right, whatever it says."""
    lines = "".join(json.dumps(each) + "\n" for each in (head, *changes)).encode()
    end = {"end": len(changes), "sha256": hashlib.sha256(lines).hexdigest()}
    return lines + json.dumps(end).encode() + b"\n"


@pytest.mark.parametrize("key", ["width", "height"])
@pytest.mark.parametrize("value", [0, -1, 10_001, True, 9.0, "9", None, [9], 1 << 63])
def test_size_that_no_canvas_has_is_refused(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(BadArchive, match="line 1 is not a header"):
        imported(tmp_path / "canvas.db", made(HEAD | {key: value}))


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("seq", (0, 2, -1, True, 1.0, "1", None)),
        ("x", (-1, 9, True, 1.0, "1", None)),
        ("y", (-1, 7, False, 1.0, "1", None)),
        ("color", ("red", "#FF000", "#FF00000", "#FF0000\n", "#GG0000", 0xFF0000, None)),
        ("user", ("", "u" * 256, "é" * 128, "a\nb", "a\0b", "\x1b[2J", "\u202e", 5, None)),
        ("at", (-1, -0.5, 1e300, 253_402_300_800, True, "5", None)),
    ],
)
def test_change_that_no_canvas_has_is_refused(tmp_path: Path, key: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(BadArchive, match=r"line 2 (is not a valid change|has change)"):
            imported(tmp_path / "canvas.db", made(HEAD, CHANGE | {key: value}))
    with pytest.raises(BadArchive, match="line 2 is not a valid change"):
        imported(tmp_path / "canvas.db", made(HEAD, {name: value for name, value in CHANGE.items() if name != key}))
    assert list(tmp_path.iterdir()) == []


def test_time_that_goes_back_is_refused(tmp_path: Path) -> None:
    changes = (CHANGE, CHANGE | {"seq": 2}, CHANGE | {"seq": 3, "at": 5.4999})
    with pytest.raises(BadArchive, match=r"line 4 has the time 5\.4999, earlier than the line before"):
        imported(tmp_path / "canvas.db", made(HEAD, *changes))


@pytest.mark.parametrize("user", ["u" * 255, "é" * 127, 'Björn "b"', "rollback"])
def test_every_epoch_and_every_user_that_a_message_can_tell_is_taken(tmp_path: Path, user: str) -> None:
    assert imported(tmp_path / "canvas.db", made(HEAD | {"epoch": "e" * 300}, CHANGE | {"user": user})).changes == 1
    with closing(SqliteStore.open(tmp_path / "canvas.db")) as store:
        assert [change.user_id for change in store.since(0) or ()] == [user]
        assert len(store.epoch) == 16


def test_line_without_an_end_is_not_read_whole(tmp_path: Path) -> None:
    class Endless(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            assert size == MAX_LINE + 1
            return b"[" * size

    with pytest.raises(BadArchive, match="line 1 has more than 65,536 bytes"):
        import_archive(tmp_path / "canvas.db", Endless(), NOW)


def test_what_comes_after_the_end_is_refused(tmp_path: Path, whole: bytes) -> None:
    for more in (b"\n", b"{}\n", whole):
        with pytest.raises(BadArchive, match="follows the end record"):
            imported(tmp_path / "canvas.db", whole + more)


# Faults of the disk.


STEPS = ("fsync", "rename", "unlink")


@contextmanager
def at_every_step(act: Callable[[str], None]) -> Iterator[None]:
    """Calls `act` before every step that the disk hears of."""
    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, hooked(getattr(os, name), partial(act, name)))
        yield


def hooked(function: Callable[..., Any], act: Callable[[], None]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        act()
        return function(*args, **kwargs)

    return call


class Failing:
    """Fails at step `number`, counted from 0."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, name: str) -> None:
        self.left -= 1
        if self.left == -1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    @property
    def has_failed(self) -> bool:
        return self.left < 0


BEFORE: dict[str, Callable[[Path], object]] = {
    "none": lambda path: None,
    "unused": lambda path: SqliteStore.open(path, new=About("unused", 3, 3, 0)).close(),
    "unused, and killed": lambda path: leave_log(path),
    "a log without its file": lambda path: leave_log_alone(path),
}


def leave_log_alone(path: Path) -> None:
    """The log of such a canvas without its file."""
    leave_log(path)
    path.unlink()


def leave_log(path: Path) -> None:
    """The files of a canvas that nobody has painted on, of a process that was killed after it had changed them."""
    store = SqliteStore.open(path, new=About("older", 3, 3, 0))
    with closing(store.reader()), closing(store):
        store._connected().execute("UPDATE canvas SET epoch = 'unused'")
        kept = path.with_name("kept")
        kept.mkdir()
        for file in path.parent.glob("canvas.db*"):
            shutil.copy(file, kept)
    for file in kept.iterdir():
        file.replace(path.with_name(file.name))
    kept.rmdir()
    path.with_name("canvas.db-shm").unlink(missing_ok=True)
    assert path.with_name("canvas.db-wal").stat().st_size


def expect_old_or_new(path: Path, before: str, new: list[bytes], *, may_be_old: bool = True) -> None:
    """Somebody who opens the store now, as the next process does, finds the canvas before or the complete new one."""
    if not path.exists():
        assert may_be_old
        assert before in ("none", "a log without its file")
        return
    with closing(SqliteStore.open(path)) as store:
        if store.epoch == "unused":
            assert may_be_old
            assert before in ("unused", "unused, and killed")
            assert (store.width, store.height, store.load().seq) == (3, 3, 0)
            return
    assert content(path) == new


@pytest.mark.parametrize("before", BEFORE)
def test_import_whose_disk_fails_leaves_the_old_canvas_or_the_new_one(
    tmp_path: Path, whole: bytes, before: str
) -> None:
    reference = tmp_path / "reference" / "canvas.db"
    reference.parent.mkdir()
    imported(reference, whole)
    new = content(reference)
    for number in range(100):
        path = tmp_path / str(number) / "canvas.db"
        path.parent.mkdir()
        BEFORE[before](path)
        fault = Failing(number)
        with at_every_step(fault):
            try:
                imported(path, whole)
            except (OSError, StoreError, UnusableStore):
                assert fault.has_failed
                expect_old_or_new(path, before, new)
            else:
                expect_old_or_new(path, before, new, may_be_old=False)
        if not fault.has_failed:
            return
    pytest.fail("there were more than 100 steps")


@pytest.mark.parametrize("before", BEFORE)
def test_import_that_is_killed_leaves_the_old_canvas_or_the_new_one(tmp_path: Path, whole: bytes, before: str) -> None:
    path = tmp_path / "data" / "canvas.db"
    path.parent.mkdir()
    BEFORE[before](path)
    moments: list[Path] = []

    def keep(step: str) -> None:
        moment = tmp_path / f"{len(moments)} {step}"
        shutil.copytree(path.parent, moment)
        moments.append(moment)

    with at_every_step(keep):
        imported(path, whole)
    new = content(path)
    assert len(moments) > 5
    for moment in moments:
        if before == "a log without its file" and not (moment / "canvas.db").exists():
            continue
        leftover = shutil.copytree(moment, tmp_path / f"again {moment.name}") / "canvas.db"
        for file in moment.glob("*-import*"):
            file.unlink()
        expect_old_or_new(moment / "canvas.db", before, new)
        imported(leftover, whole)
        assert content(leftover) == new


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file grows beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_import_into_a_full_disk_leaves_nothing_or_the_whole_canvas(tmp_path: Path) -> None:
    data = exported(painted(tmp_path / "canvas.db", 3_000, (50, 50), together=200))
    (tmp_path / "new").mkdir()
    imported(tmp_path / "new" / "canvas.db", data)
    new = content(tmp_path / "new" / "canvas.db")
    outcomes = []
    for size in (*range(0, 200_000, 16_384), 4_000_000):
        path = tmp_path / str(size) / "canvas.db"
        path.parent.mkdir()
        try:
            with full_disk(size):
                imported(path, data)
        except (OSError, StoreError, UnusableStore):
            outcomes.append(False)
            assert list(path.parent.iterdir()) == []
        else:
            outcomes.append(True)
            assert content(path) == new
    assert outcomes == sorted(outcomes)
    assert {*outcomes} == {False, True}


def test_disk_that_is_full_at_the_last_moment_fails_the_import(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, close = schema.settle, SqliteStore.close
    reached: list[str] = []
    left_open: list[SqliteStore] = []

    def settle_when_full(path: Path) -> None:
        reached.append(path.name)
        if path.name == "canvas.db-import":
            with full_disk(4096):
                settle(path)
        else:
            settle(path)

    monkeypatch.setattr(SqliteStore, "close", lambda store: left_open.append(store))  # as if its checkpoint failed
    monkeypatch.setattr(schema, "settle", settle_when_full)
    with pytest.raises(UnusableStore, match=r"disk I/O error|full"):
        imported(tmp_path / "canvas.db", whole)
    close(*left_open)
    assert reached[-1] == "canvas.db-import"
    assert list(tmp_path.iterdir()) == []


def test_import_that_is_not_read_back_as_it_was_written_fails(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = SqliteStore.append

    def append_another(store: SqliteStore, changes: list[Change], at: float) -> None:
        append(store, [Change(c.x, c.y, c.color ^ (c.seq == 7), c.user_id, c.seq) for c in changes], at)

    monkeypatch.setattr(SqliteStore, "append", append_another)
    with pytest.raises(StoreError, match="the changes read back differ from those written"):
        imported(tmp_path / "canvas.db", whole)
    assert list(tmp_path.iterdir()) == []


# Files that commands write.


@pytest.mark.parametrize("before", [None, b"the last one"])
def test_output_whose_disk_fails_is_the_file_before_or_the_new_one(tmp_path: Path, before: bytes | None) -> None:
    path = tmp_path / "out"
    for number in range(20):
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
        fault = Failing(number)
        with at_every_step(fault):
            try:
                with writing(path) as file:
                    file.write(b"new")
                    assert (path.read_bytes() if path.exists() else None) == before
            except OSError:
                assert fault.has_failed
                assert (path.read_bytes() if path.exists() else None) in (before, b"new")
            else:
                assert path.read_bytes() == b"new"
        assert {each.name for each in tmp_path.iterdir()} <= {"out"}
        if not fault.has_failed:
            return
    pytest.fail("there were more than 20 steps")


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), StoreError("damaged"), KeyboardInterrupt()])
def test_output_that_is_not_finished_leaves_the_file_before(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"the last one")

    def write_half() -> None:
        with writing(path) as file:
            file.write(b"half of the new o")
            file.flush()
            raise failure

    with pytest.raises(type(failure)):
        write_half()
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("out", b"the last one")]


def test_output_to_a_full_disk_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"the last one")
    with full_disk(1_000), pytest.raises(OSError, match="File too large"), writing(path) as file:
        file.write(b"n" * 2_000)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("out", b"the last one")]


def test_output_keeps_permissions_and_links(tmp_path: Path) -> None:
    path, link = tmp_path / "out", tmp_path / "link"
    path.write_bytes(b"the last one")
    path.chmod(0o640)
    link.symlink_to("out")
    with writing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_output_to_a_device_leaves_the_device() -> None:
    with writing(Path(os.devnull)) as file:
        file.write(b"new")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_output_to_a_full_device_fails() -> None:
    with pytest.raises(OSError, match="No space left"), writing(Path("/dev/full")) as file:
        file.write(b"new")
